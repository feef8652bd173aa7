import type { ActionOutcome, Json, Missing } from "@remit/contract";
import { errorTable } from "@remit/contract";
import { scopesMissing } from "@remit/core";
import type { MissingForCall } from "../action/missing-for-call.ts";
import type { ActionCaller } from "./call-action.ts";
import type { Refusal } from "./refusal.ts";

type Denied = Extract<ActionOutcome, { type: "denied" }>;

/** Refusals that can be for want of something. A stop, a halt and a spent budget are not: they say no, not "not yet". */
const wanting: ReadonlySet<string> = new Set(["no-grant", "tier-too-low"]);

/** Says of each refused call what it lacks, and challenges the token where another one of the same agent would do. */
export function withStepUp(call: ActionCaller, missingForCall: MissingForCall | undefined): ActionCaller {
  if (missingForCall === undefined) return call;
  return (made) =>
    call(made).then((called) => {
      if (called.type !== "outcome" || called.outcome.type !== "denied" || !wanting.has(called.outcome.code)) return called;
      const missing = missingForCall(made.exchange.caller, made.tool, made.arguments);
      return stepUp(called.outcome, missing) ?? { ...called, missing };
    });
}

/**
 * The challenge to a token that is narrower than what its agent has (MCP 2026-07-28, Scope Challenge Handling): 403 with every scope that
 * the call needs. Null where no token of this agent would do: then the refusal is a result, for the agent to read.
 */
function stepUp(outcome: Denied, missing: readonly Missing[]): Refusal | null {
  const scopes = scopesMissing(missing);
  if (scopes === null) return null;
  const { http, rpc } = errorTable["insufficient-scope"];
  const { actionId } = outcome;
  const after = missing.flatMap((one) => (one.type === "approval" ? one.teams : []));
  const asks = after.length === 0 ? "" : ` It will then wait for approval by ${after.join(" and ")}.`;
  const reason = `${outcome.reason} A token with the scope ${scopes.join(" ")} would do.${asks}`;
  const data: Json = { code: "insufficient-scope", reason, actionId, scopes, missing: missing as unknown as Json };
  return {
    type: "refusal",
    http,
    code: rpc,
    message: `Insufficient scope: ${reason}`,
    data,
    challenge: { type: "insufficient-scope", scopes, reason },
  };
}
