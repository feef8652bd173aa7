import type { ActionOutcome, Caller } from "@remit/contract";
import type { RegisteredTool } from "@remit/core";

export type Attempt = {
  /** `upstream__tool`. */
  tool: string;
  /** As parsed from the request; validated here against the pinned schema. */
  arguments: unknown;
  /** The same key by the same agent (in the same run) with the same arguments is the same action. */
  idempotencyKey?: string;
  signal: AbortSignal;
  traceparent?: string;
};

/** A tool as it is listed to one caller; `note` says why a call may still wait or be refused. */
export type ListedTool = { tool: RegisteredTool; note: string | null };

/** The one way in which anything happens. Listing and calling are decided by the same function. */
export type ActionPath = {
  /** @throws RemitError `control-state-stale` */
  list(caller: Caller): ListedTool[];
  /** Every attempt that reaches this ends as an outcome and leaves exactly one terminal entry; it does not throw for a refusal. */
  act(caller: Caller, attempt: Attempt): Promise<ActionOutcome>;
};
