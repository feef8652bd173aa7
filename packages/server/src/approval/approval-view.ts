import type { ApprovalView, JsonObject, Person } from "@remit/contract";
import type { People } from "@remit/core";
import { decidedAlready, eligible, eligibleFor, holdsRole } from "@remit/core";
import type { StoredApproval } from "./approval.store.ts";

export type ViewContext = {
  reader: Person;
  people: People;
  now: number;
  arguments: JsonObject | null;
  outcome: string | null;
  link: string;
};

/** Arguments may name customers and sums: they are for those who decide, who answer for the agent, and who look after Remit. */
export function maySeeArguments(approval: StoredApproval, reader: Person, people: People): boolean {
  if (reader.party === approval.accountable || holdsRole(reader.roles, ["operator", "auditor"])) return true;
  return eligible(approval, people).includes(reader.party) || approval.votes.some(({ party }) => party === reader.party);
}

/** The agent's accountable human and the operators can always call a request off. */
export function mayCancel(approval: StoredApproval, reader: Person): boolean {
  return reader.party === approval.accountable || holdsRole(reader.roles, ["operator"]);
}

export function viewApproval(approval: StoredApproval, context: ViewContext): ApprovalView {
  const { reader, people, now } = context;
  const open = decidedAlready(approval, now) === null;
  const mine = approval.votes.find(({ party }) => party === reader.party) ?? null;
  const everybody = eligible(approval, people);
  const mayVote = open && mine === null && everybody.includes(reader.party);
  return {
    id: approval.id,
    // What is past its expiry is shown as expired, whether or not the clock has come to it.
    state: approval.state === "pending" && !open ? "expired" : approval.state,
    actionId: approval.actionId,
    digest: approval.digest,
    tool: approval.tool,
    effect: approval.effect,
    reversibility: approval.reversibility,
    environment: approval.environment,
    arguments: context.arguments,
    agent: approval.agent,
    accountable: approval.accountable,
    runId: approval.runId,
    subject: approval.subject,
    reason: approval.reason,
    gates: [...new Set(approval.requirements.flatMap(({ gates }) => gates))],
    teams: approval.requirements.map((requirement) => {
      const may = eligibleFor(requirement, approval, people);
      return {
        team: requirement.team,
        quorum: requirement.quorum,
        escalatedTo: requirement.asked.slice(1).map(({ team }) => team),
        eligible: may,
        votes: approval.votes
          // What has been decided was decided by them, whoever has left or moved since; while it is open, only those count who may.
          .filter(({ party }) => may.includes(party) || (!open && !everybody.includes(party)))
          .map(({ party, vote, at, comment }) => ({ party, vote, at: isoOf(at), comment })),
      };
    }),
    delegations: approval.delegations.map(({ from, to, at }) => ({ from, to, at: isoOf(at) })),
    requestedAt: isoOf(approval.requestedAt),
    expiresAt: isoOf(approval.expiresAt),
    decidedAt: approval.decidedAt === null ? null : isoOf(approval.decidedAt),
    endedReason: approval.endedReason,
    link: context.link,
    outcome: context.outcome,
    you: {
      mayVote,
      mayDelegate: mayVote,
      mayCancel: (open || approval.state === "granted") && mayCancel(approval, reader),
      vote: mine?.vote ?? null,
    },
  };
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
