import type { JsonObject } from "@remit/contract";
import type { ServerRequest } from "./connection.ts";

/** What a retry of a call that needed input brings along (MCP 2026-07-28, Multi Round-Trip Requests), as it came. */
export type Continuation = { inputResponses?: JsonObject; requestState?: string };

/** The client's side of a call, while one is there: what goes along, what is told on the way, and who can be asked. */
export type Relay = {
  /** Whether the client speaks the stateless revision. An upstream that speaks both is asked back in the client's. */
  stateless: boolean;
  /** What the upstream may ask for: what the client can do, less what the agent may not let happen. */
  capabilities: JsonObject;
  /** Whose connection it is, where an upstream needs one for each client: one key, one connection. */
  lane: string;
  /** On whose behalf: what an upstream has for everybody is shared between these. */
  principal: string;
  /** Members of the request's `_meta` that go along as they came. */
  meta: JsonObject;
  /** Whether the client wants to be told of progress. */
  progress: boolean;
  onNotification: (method: string, params: JsonObject) => void;
  /** Answers what the upstream asks while the call runs. @throws RpcError as the answer */
  ask(request: ServerRequest, signal: AbortSignal): Promise<JsonObject>;
};
