import { Agent } from "undici";

/** A client of Streamable HTTP that does as little as it can, so that it takes no part in what is measured. */
export type HttpSession = { call(tool: string, text: string): Promise<void>; close(): Promise<void> };

/** Shakes hands (MCP 2025-11-25), waiting for the server to come up. */
export async function openHttpSession(url: URL, token: () => string | null = () => null, patienceMs = 20_000): Promise<HttpSession> {
  const agent = new Agent({ connections: 256, keepAliveTimeout: 60_000 });
  let session: string | null = null;
  let id = 0;

  async function post(message: object): Promise<string> {
    const bearer = token();
    const response = await agent.request({
      origin: url.origin,
      path: url.pathname,
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
        ...(session === null ? {} : { "mcp-session-id": session }),
        ...(id > 1 ? { "mcp-protocol-version": "2025-11-25" } : {}),
      },
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    });
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new Error(`HTTP ${response.statusCode}: ${text.slice(0, 500)}`);
    const given = response.headers["mcp-session-id"];
    if (typeof given === "string") session = given;
    return text;
  }

  const initialize = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "bench", version: "1" } };
  const deadline = Date.now() + patienceMs;
  for (;;) {
    try {
      id = 1;
      await post({ id, method: "initialize", params: initialize });
      break;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  id = 2;
  await post({ method: "notifications/initialized" });

  return {
    async call(tool, text) {
      id += 1;
      const answer = await post({ id, method: "tools/call", params: { name: tool, arguments: { text } } });
      if (!answer.includes(`"text":"${text}"`) || answer.includes('"isError":true'))
        throw new Error(`not an echo: ${answer.slice(0, 500)}`);
    },
    close: () => agent.destroy(),
  };
}
