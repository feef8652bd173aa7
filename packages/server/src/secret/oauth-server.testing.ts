/** A real authorization server (oidc-provider) on loopback, and an upstream that asks for its tokens. */
import { createServer } from "node:http";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Provider } from "oidc-provider";

export type TestOAuthServer = AsyncDisposable & {
  issuer: string;
  /** The URL of the upstream. */
  upstreamUrl: string;
  /** Authorization headers that the upstream has seen. */
  seen: (string | undefined)[];
  /** How often each kind of token was asked for. */
  grants: string[];
  /** From now on the token endpoint answers like this. */
  breakTokens(how: "down" | "no" | null): void;
  /** What the upstream demands. */
  demand(scope: string): void;
  /** Takes every token back. */
  revokeAll(): void;
};

async function listen(listener: RequestListener): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(listener);
  // A connection that is closed while a call is on its way to it is an outcome nobody knows, and here nobody would mean it.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export async function openTestOAuthServer(options: { tokenSeconds?: number } = {}): Promise<TestOAuthServer> {
  const seen: (string | undefined)[] = [];
  const grants: string[] = [];
  let broken: "down" | "no" | null = null;
  let demanded = "contacts";
  let revoked = false;
  let handle: RequestListener = () => undefined;
  const authorization = await listen((request, response) => handle(request, response));
  const upstream = await listen((request, response) => void answer(request, response));
  const upstreamUrl = `${upstream.url}/mcp`;

  const provider = new Provider(authorization.url, {
    clients: [
      {
        client_id: "remit-machine",
        client_secret: "machine-secret-0123456789",
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: "client_secret_basic",
      },
    ],
    scopes: ["openid", "offline_access", "contacts", "contacts:write"],
    ttl: {
      AccessToken: options.tokenSeconds ?? 3_600,
      ClientCredentials: options.tokenSeconds ?? 3_600,
      Session: 60,
      Grant: 3_600,
      Interaction: 60,
    },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({ scope: "contacts contacts:write", audience: upstreamUrl, accessTokenFormat: "opaque" }),
        useGrantedResource: () => true,
      },
    },
    pkce: { required: () => true },
    issueRefreshToken: () => Promise.resolve(true),
    rotateRefreshToken: true,
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
  });
  const callback = provider.callback();
  handle = (request, response) => {
    if (request.method === "POST" && request.url === "/token") {
      grants.push("token");
      if (broken !== null) {
        response.writeHead(broken === "down" ? 503 : 400, { "content-type": "application/json" });
        response.end(JSON.stringify(broken === "down" ? {} : { error: "invalid_grant", error_description: "gone" }));
        return;
      }
    }
    if (request.url?.startsWith("/interaction/") === true) {
      consent(provider, request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
      return;
    }
    void callback(request, response);
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === "/.well-known/oauth-protected-resource/mcp") {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ resource: upstreamUrl, authorization_servers: [authorization.url], scopes_supported: ["contacts"] }));
      return;
    }
    const header = request.headers.authorization;
    seen.push(header);
    const value = /^Bearer (.+)$/.exec(header ?? "")?.[1] ?? "";
    const token = revoked ? undefined : ((await provider.AccessToken.find(value)) ?? (await provider.ClientCredentials.find(value)));
    const granted = token === undefined ? undefined : (token.scope ?? "");
    const lacking = granted === undefined || !demanded.split(" ").every((scope) => granted.split(" ").includes(scope));
    const metadata = `resource_metadata="${upstream.url}/.well-known/oauth-protected-resource/mcp"`;
    if (lacking) {
      const challenge =
        granted === undefined
          ? `Bearer ${metadata}, scope="contacts"`
          : `Bearer error="insufficient_scope", scope="${demanded}", ${metadata}`;
      response.writeHead(granted === undefined ? 401 : 403, { "www-authenticate": challenge }).end();
      return;
    }
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const message = JSON.parse(body === "" ? "{}" : body) as { id?: number; method?: string; params?: { protocolVersion?: string } };
      if (message.id === undefined) {
        response.writeHead(202).end();
        return;
      }
      const result =
        message.method === "initialize"
          ? { protocolVersion: message.params?.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "guarded", version: "1" } }
          : message.method === "tools/list"
            ? { tools: [{ name: "whoami", inputSchema: { type: "object" } }] }
            : message.method === "tools/call"
              ? { content: [{ type: "text", text: `you came with ${header ?? "nothing"}` }] }
              : undefined;
      response.writeHead(200, { "content-type": "application/json" });
      response.end(
        JSON.stringify({
          jsonrpc: "2.0",
          id: message.id,
          ...(result === undefined ? { error: { code: -32601, message: "no" } } : { result }),
        }),
      );
    });
  }

  return {
    issuer: authorization.url,
    upstreamUrl,
    seen,
    grants,
    breakTokens: (how) => void (broken = how),
    demand: (scope) => void (demanded = scope),
    revokeAll: () => void (revoked = true),
    async [Symbol.asyncDispose]() {
      await upstream.close();
      await authorization.close();
    },
  };
}

/** Everybody is Ada, and says yes. */
async function consent(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { params, prompt } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") return await provider.interactionFinished(request, response, { login: { accountId: "ada" } });
  const grant = new provider.Grant({ accountId: "ada", clientId: String(params["client_id"]) });
  const { missingOIDCScope = [], missingResourceScopes = {} } = prompt.details as {
    missingOIDCScope?: string[];
    missingResourceScopes?: Record<string, string[]>;
  };
  grant.addOIDCScope([...missingOIDCScope, "offline_access"].join(" "));
  for (const [resource, scopes] of Object.entries(missingResourceScopes)) grant.addResourceScope(resource, scopes.join(" "));
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
}

/** Goes to a URL like a browser that keeps cookies, until it would leave for `stopAt`; the URL that it would go to. */
export async function browse(start: string, stopAt: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = new URL(start);
  for (let hop = 0; hop < 20; hop += 1) {
    if (url.href.startsWith(stopAt)) return url;
    const response = await fetch(url, { redirect: "manual", headers: { cookie: [...cookies].map((pair) => pair.join("=")).join("; ") } });
    for (const line of response.headers.getSetCookie()) {
      const pair = line.split(";")[0] ?? "";
      cookies.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
    }
    const location = response.headers.get("location");
    if (location === null) throw new Error(`stopped at ${url.href}: ${response.status} ${await response.text()}`);
    url = new URL(location, url);
  }
  throw new Error("too many redirects");
}
