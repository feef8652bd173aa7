import type { Transport } from "@modelcontextprotocol/client";
import { Client, SdkError, SdkErrorCode } from "@modelcontextprotocol/client";
import type { JsonObject } from "@remit/contract";
import { handshakeVersions, remitInfo } from "../mcp/mcp-protocol.ts";

/** `auto`: asks which revision the upstream speaks. `legacy`: it is known to need the handshake. */
export type Negotiation = "auto" | "legacy";

/** The SDK's client, for what happens once per connection. Calls do not go through it. */
export type UpstreamClient = {
  connect(transport: Transport, timeoutMs: number): Promise<void>;
  timedOut(error: unknown): boolean;
  protocolVersion(): string;
  capabilities(): JsonObject;
  speaksHandshake(): boolean;
  /** Told what goes wrong beside any request. */
  onError(listener: (error: Error) => void): void;
  close(): Promise<void>;
};

/** A server that says nothing to the question for its revision is an old one. */
const probeTimeoutMs = 5_000;

/** Asked to be told of by the SDK where the revision wants that; what is told is heard by the channel. */
const heard = { autoRefresh: false, debounceMs: 0, onChanged: () => undefined };

/** @param capabilities what the upstream may ask for. Nothing on a connection that many share: it could not say whom it asks. */
export function createUpstreamClient(negotiation: Negotiation, capabilities: JsonObject): UpstreamClient {
  const client = new Client(
    { ...remitInfo },
    {
      capabilities,
      versionNegotiation: negotiation === "auto" ? { mode: "auto", probe: { timeoutMs: probeTimeoutMs } } : { mode: "legacy" },
      inputRequired: { autoFulfill: false },
      listChanged: { tools: heard, prompts: heard, resources: heard },
    },
  );
  const errorListeners: ((error: Error) => void)[] = [];
  // The SDK's protocol classes are no event targets: this property is their one way to tell.
  Object.assign(client, {
    onerror: (error: Error) => {
      for (const listener of errorListeners) listener(error);
    },
  });
  return {
    onError: (listener) => void errorListeners.push(listener),
    connect: (transport, timeoutMs) => client.connect(transport, { timeout: timeoutMs }),
    timedOut: (error) => error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout,
    protocolVersion: () => client.getNegotiatedProtocolVersion() ?? handshakeVersions[0],
    capabilities: () => ({ ...client.getServerCapabilities() }) as JsonObject,
    speaksHandshake() {
      const discovered = client.getDiscoverResult()?.supportedVersions;
      return discovered === undefined || discovered.some((version) => (handshakeVersions as readonly string[]).includes(version));
    },
    close: () => client.close(),
  };
}
