import type { Caller, JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { createFollowedActions } from "../action/followed-actions.ts";
import { createDecisionsFor } from "../action/decisions-for.ts";
import { withSeveralPolicies } from "../action/several-policies.ts";
import { createMissingForCall } from "../action/missing-for-call.ts";
import type { PathOverrides } from "../action/action-path.testing.ts";
import { openTestActionPath } from "../action/action-path.testing.ts";
import { createMasterKey } from "../keys/master-key.ts";
import { createApprovalAnswers } from "./approval-answer.ts";
import { createApprovalTasks } from "./approval-tasks.ts";
import { openGateway, statelessMeta } from "./gateway.testing.ts";
import { createRequestStates } from "./request-state.ts";
import { createUsedStates } from "./used-states.postgres.ts";

/** What a client declares that can follow tasks, open addresses, or both. */
export const followsTasks: JsonObject = { extensions: { "io.modelcontextprotocol/tasks": {} } };
export const opensUrls: JsonObject = { elicitation: { url: {} } };
export const declaring = (capabilities: JsonObject): JsonObject => ({
  ...statelessMeta,
  "io.modelcontextprotocol/clientCapabilities": capabilities,
});

/** The gateway before a real action path: what is granted is executed at once. The token `good` is the agent's, `wide` carries more policies, `other` is another agent's. */
export async function openApprovalGateway(
  overrides: PathOverrides = {},
  more: { holdMs?: number; maxRounds?: number; furtherPolicies?: string[] } = {},
) {
  const remit = await openTestActionPath({ agents: [{ name: "other-agent" }], ...overrides });
  const { deps, approvals } = remit;
  approvals.onGranted(() => void remit.path.executeGranted());
  const states = createRequestStates({ key: createMasterKey(Buffer.alloc(32, 7)).derive("request-state"), now: deps.now });
  const used = createUsedStates(remit.database, deps.now);
  const actions = createFollowedActions(deps);
  const tasks = createApprovalTasks({
    states,
    used,
    actions,
    approvals,
    running: remit.tasks,
    structured: () => true,
    now: deps.now,
    pollMs: 10,
  });
  const answers = createApprovalAnswers({ states, used, actions, tasks, holdMs: 2_000, ...more });
  const decisionsFor = createDecisionsFor(deps);
  const path = withSeveralPolicies(remit.path, decisionsFor);
  const missing = createMissingForCall(decisionsFor);
  const other: Caller = {
    ...remit.caller,
    agent: "other-agent",
    version: remit.registry().agents.get("other-agent")?.version ?? "",
    tokenId: "tok_2",
  };
  const wide: Caller = { ...remit.caller, tokenId: "tok_4", furtherPolicies: more.furtherPolicies ?? [] };
  const callers: Record<string, Caller> = { good: remit.caller, renewed: { ...remit.caller, tokenId: "tok_3" }, other, wide };
  const gateway = await openGateway(remit.registry(), path, {
    registry: { current: () => remit.registry() },
    approvals: { answers, tasks },
    missing,
    callers: {
      verify: async (token) => {
        const caller = callers[token];
        if (caller === undefined) throw new RemitError("unauthenticated", "Nobody's token");
        return caller;
      },
    },
  });
  return {
    remit,
    url: `${gateway.url}/mcp`,
    states,
    missing,
    /** The requests that wait, and a vote on the only one of them. */
    async vote(vote: "approve" | "deny" = "approve") {
      const [row] = await remit.database.query<{ id: string }>("SELECT id FROM approval WHERE state = 'pending'");
      const reader = remit.person("ben");
      const { digest } = await approvals.get(String(row?.id) as never, reader);
      await approvals.vote(String(row?.id) as never, reader, { vote, digest });
    },
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await remit[Symbol.asyncDispose]();
    },
  };
}
