import type { Transport } from "@modelcontextprotocol/client";
import { Client, SdkError, SdkErrorCode } from "@modelcontextprotocol/client";
import { handshakeVersions, remitInfo } from "../mcp/mcp-protocol.ts";

/** `auto`: asks which revision the upstream speaks. `legacy`: it is known to need the handshake. */
export type Negotiation = "auto" | "legacy";

/** The SDK's client, for what happens once per connection. Calls do not go through it. */
export type UpstreamClient = {
  connect(transport: Transport, timeoutMs: number): Promise<void>;
  timedOut(error: unknown): boolean;
  protocolVersion(): string;
  /** Told what goes wrong beside any request. */
  onError(listener: (error: Error) => void): void;
  onToolsChanged(listener: () => void): void;
  close(): Promise<void>;
};

/** A server that says nothing to the question for its revision is an old one. */
const probeTimeoutMs = 5_000;

export function createUpstreamClient(negotiation: Negotiation): UpstreamClient {
  const listeners: (() => void)[] = [];
  const client = new Client(
    { ...remitInfo },
    {
      // No sampling, no elicitation, no roots: an upstream may not ask the agent or the person anything past the action path.
      capabilities: {},
      versionNegotiation: negotiation === "auto" ? { mode: "auto", probe: { timeoutMs: probeTimeoutMs } } : { mode: "legacy" },
      inputRequired: { autoFulfill: false },
      listChanged: {
        tools: {
          autoRefresh: false,
          debounceMs: 100,
          onChanged: () => {
            for (const listener of listeners) listener();
          },
        },
      },
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
    onToolsChanged: (listener) => void listeners.push(listener),
    close: () => client.close(),
  };
}
