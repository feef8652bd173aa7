import type { JsonObject, ToolResult, UpstreamSpec } from "@remit/contract";

/** What an upstream says of one of its tools, as `tools/list` gives it. */
export type OfferedTool = { name: string; description: string; inputSchema: JsonObject; outputSchema: JsonObject | null; raw: JsonObject };

export type UpstreamCall = {
  upstream: string;
  /** The upstream's own name of the tool. */
  tool: string;
  arguments: JsonObject;
  timeoutMs: number;
  /** Aborting cancels the call at the upstream as well. */
  signal: AbortSignal;
  /** W3C `traceparent`, passed on in `_meta`. */
  traceparent?: string;
};

export type UpstreamHealth = {
  upstream: string;
  state: "starting" | "ready" | "down";
  since: string;
  restarts: number;
  error: string | null;
  stderr: string[];
};

/** The MCP servers behind the gateway. */
export type Upstreams = {
  /**
   * Every tool that it offers, over all pages.
   * @throws RemitError `upstream-unavailable` | `upstream-timeout`, naming the upstream.
   */
  offered(upstream: string): Promise<OfferedTool[]>;
  /**
   * Every tool that an upstream of this specification offers, before it is in force: it is started, asked and stopped.
   * @throws RemitError as `offered`.
   */
  probe(spec: UpstreamSpec): Promise<OfferedTool[]>;
  /**
   * Never sends a call twice.
   * @throws RemitError `upstream-unavailable` (nothing was sent) | `upstream-error` (it answered with an error) |
   *   `outcome-unknown` (it was sent, and the connection ended before an answer) | `upstream-timeout` | `cancelled`.
   */
  call(call: UpstreamCall): Promise<ToolResult>;
  health(): UpstreamHealth[];
};
