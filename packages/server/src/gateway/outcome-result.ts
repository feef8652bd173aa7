import type { ActionOutcome, ErrorCode, JsonObject, Missing, ToolResult } from "@remit/contract";

/**
 * What a client is given for an outcome, as a `CallToolResult`.
 *
 * What did not happen is an error result, a call that waits for a person included. An agent that took it for done would go on as if
 * the mail were sent; and a strict client refuses a result that is no error and lacks the structured content that the tool's output
 * schema promises. The text says that it is not a failure either, and what to do.
 *
 * @param structured whether the outcome may be given as structured content too: never for a tool with an output schema, because
 *   clients check structured content against it even in error results. `_meta["remit/outcome"]` always has it.
 * @param missing what a refused call lacks
 */
export function resultOf(outcome: ActionOutcome, structured: boolean, missing: readonly Missing[] = []): ToolResult {
  switch (outcome.type) {
    case "succeeded":
      return { ...outcome.result, _meta: { ...foreignMeta(outcome.result._meta), "remit/action": outcome.actionId } };
    case "failed": {
      const told = { type: "failed", code: outcome.code, reason: outcome.reason, actionId: outcome.actionId };
      if (outcome.result !== undefined) {
        const meta = { ...foreignMeta(outcome.result._meta), "remit/action": outcome.actionId, "remit/outcome": told };
        return { ...outcome.result, isError: true, _meta: meta };
      }
      return unsuccessful(`Failed: ${sentence(outcome.reason)} (${outcome.code}) ${failureAdvice[outcome.code] ?? ""}`, told, structured);
    }
    case "denied": {
      const { actionId, code, reason, policies } = outcome;
      const lacks = missing.length === 0 ? "" : ` Missing: ${missing.map(missingWords).join("; ")}.`;
      const text = `Refused by Remit: ${sentence(reason)} (${code})${lacks} ${denialAdvice[code] ?? finalDenial}`;
      const told = {
        type: "denied",
        code,
        reason,
        actionId,
        policies,
        ...(lacks === "" ? {} : { missing: missing.map((one) => ({ ...one })) }),
      };
      return unsuccessful(text, told, structured);
    }
    case "waiting": {
      const { actionId, approvalId, link, expiresAt, teams, reason } = outcome;
      const text =
        `Not done yet: this call waits for approval by ${teams.join(" and ")}. ${sentence(reason)} ` +
        `They decide at ${link} (approval ${approvalId}) until ${expiresAt}. Once approved, Remit carries it out by itself, exactly once. ` +
        "To learn the outcome, repeat exactly the same call later; with other arguments it is another request. " +
        "Go on with other work meanwhile, and do not try to reach the same effect in another way.";
      return unsuccessful(
        text,
        { type: "waiting", status: "approval-pending", approvalId, link, expiresAt, teams, reason, actionId },
        structured,
      );
    }
  }
}

function missingWords(missing: Missing): string {
  switch (missing.type) {
    case "tier":
      return `tier ${missing.needs} (the agent has ${missing.has}), which is for the people who answer for it to raise`;
    case "grant":
      return `a grant in one of ${missing.policies.join(", ")}, which is for people to write`;
    case "scope":
      return `a token with the scope ${missing.scopes.join(" ")}`;
    case "approval":
      return `then, approval by ${missing.teams.join(" and ")}`;
  }
}

const finalDenial = "Repeating this call will not change that; do not retry it.";

/** What could help, where something could. */
const denialAdvice: Partial<Record<ErrorCode, string>> = {
  "invalid-arguments": "Correct the arguments and call again.",
  "rate-exceeded": "It may be called again once the window has passed.",
  "budget-exceeded": "It may be called again once the budget allows it; a person can raise the budget.",
  "run-limit-reached": "This run has used up what it may do; end it and report what is left.",
  "run-ended": "The run is over; stop.",
  halted: "People have stopped this. Stop working on it and report; it may be called again when the halt is released.",
  "safe-mode": "Only reading is possible for now. Report what is left to do.",
  "control-state-stale": "Remit cannot be sure of its own state just now; try again in a few seconds.",
  "ledger-unavailable": "Remit cannot record anything just now, and does nothing unrecorded; try again in a few seconds.",
  "approvals-full": "It may be asked for again once people have decided some of what waits, or it was withdrawn.",
  "approval-rejected": "A person has said no. Do not ask again for the same thing, and do not try another way.",
  "approval-expired": "The same call does not ask them again; report that nobody has answered.",
  "tool-changed": "A person must accept the tool's change first; do not retry it.",
};

const failureAdvice: Partial<Record<ErrorCode, string>> = {
  "upstream-unavailable": "Nothing was sent; it may be tried again later.",
  "upstream-busy": "Nothing was sent; it may be tried again in a moment, more slowly.",
  "circuit-open": "Nothing was sent; do not try again before it says so.",
  "upstream-timeout": "Whether it was done is not known; check before you call again.",
  "outcome-unknown": "Whether it was done is not known; check before you call again.",
  halted: "People have stopped this; whether it was done before is not known. Stop working on it and report.",
  cancelled: "Whether it was done is not known; check before you call again.",
};

function unsuccessful(text: string, told: JsonObject & { actionId: string }, structured: boolean): ToolResult {
  return {
    content: [{ type: "text", text: text.trim() }],
    ...(structured ? { structuredContent: told } : {}),
    isError: true,
    _meta: { "remit/action": told.actionId, "remit/outcome": told },
  };
}

/** An upstream's own `_meta`, without anything that would speak in our name. */
function foreignMeta(meta: JsonObject | undefined): JsonObject | undefined {
  if (meta === undefined || !Object.keys(meta).some((key) => key.startsWith("remit/"))) return meta;
  return Object.fromEntries(Object.entries(meta).filter(([key]) => !key.startsWith("remit/")));
}

function sentence(reason: string): string {
  return /[.!?]$/.test(reason) ? reason : `${reason}.`;
}
