import type { ActionOutcome, Caller, Id, JsonObject, ToolResult } from "@remit/contract";
import type { RegisteredTool } from "@remit/core";
import type { Continuation, Relay } from "../upstream/relay.ts";

export type Attempt = {
  /** `upstream__tool`. */
  tool: string;
  /** As parsed from the request; validated here against the pinned schema. */
  arguments: unknown;
  /** The same key by the same agent (in the same run) with the same arguments is the same action. */
  idempotencyKey?: string;
  signal: AbortSignal;
  traceparent?: string;
  /** The client's side of the call, where there is one to be told and asked. Nothing of it changes what the action is. */
  relay?: Relay;
  /** What a retry brings along. Part of what the action is: another answer is another action. */
  continuation?: Continuation;
  /** Carries it out in place of the upstream: what an upstream asks is done by the client. */
  perform?: (input: JsonObject, signal: AbortSignal) => Promise<ToolResult>;
  /** Told once that the upstream works at it by itself, and that whoever asks for the action can know of it. */
  onTask?: (actionId: Id<"action">) => void;
};

/** A tool as it is listed to one caller; `note` says why a call may still wait or be refused. */
export type ListedTool = { tool: RegisteredTool; note: string | null };

/** The one way in which anything happens. Listing and calling are decided by the same function. */
export type ActionPath = {
  /** @throws RemitError `control-state-stale` */
  list(caller: Caller): ListedTool[];
  /** Every attempt that reaches this ends as an outcome and leaves exactly one terminal entry; it does not throw for a refusal. */
  act(caller: Caller, attempt: Attempt): Promise<ActionOutcome>;
  /**
   * Whether a call could come to pass, decided as the call would be and recorded nowhere: for lists of what is not a tool, and for saying
   * what an upstream may ask. `arguments` null: whether any call of the tool could.
   */
  couldAct(caller: Caller, tool: string, args: JsonObject | null): boolean;
};
