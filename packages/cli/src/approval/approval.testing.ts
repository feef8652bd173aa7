import type { ApprovalView } from "@remit/contract";

/** A request that waits for the support leads. */
export const approvalView: ApprovalView = {
  id: "apr_00000000000000000000000000000001",
  state: "pending",
  actionId: "act_00000000000000000000000000000001",
  digest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  tool: "helpdesk__send_email",
  effect: "write",
  reversibility: "none",
  environment: "staging",
  arguments: { to: "kim@customer.example", body: "Hello" },
  agent: "support-triage",
  accountable: "ines",
  runId: "run_00000000000000000000000000000001",
  subject: "T-1042 Where is my refund?",
  reason: "mail leaves in our name",
  gates: ["customer_support_tier1_v3/gates.cedar#mail"],
  teams: [{ team: "support-lead", quorum: 1, escalatedTo: [], eligible: ["sam"], votes: [] }],
  delegations: [],
  requestedAt: "2026-11-21T09:50:00.000Z",
  expiresAt: "2026-11-21T13:50:00.000Z",
  decidedAt: null,
  endedReason: null,
  link: "http://127.0.0.1:7447/approvals/apr_00000000000000000000000000000001",
  outcome: null,
  you: { mayVote: true, mayDelegate: true, mayCancel: false, vote: null },
};
