import type { Story, StoryAction } from "@remit/contract";

export const testAction = (given: Partial<StoryAction>): StoryAction => ({
  id: "act_1",
  runId: "run_1",
  state: "succeeded",
  tool: "git__push",
  effect: "write",
  environment: "laptop",
  agent: "coder",
  version: "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
  accountable: "ada",
  policy: "coding",
  digest: null,
  traceId: null,
  startedAt: "2026-11-21T10:00:00.000Z",
  endedAt: null,
  arguments: null,
  result: null,
  decisions: [],
  approvals: [],
  outcome: null,
  entries: [],
  ...given,
});

const approval = {
  id: "apr_1",
  state: "consumed",
  requestedAt: null,
  reason: null,
  digest: null,
  requirements: [],
  votes: [{ by: "party:ben\nAgent: evil", vote: "approve", at: "2026-11-21T10:01:00.000Z", seq: 4, comment: null }],
  entries: [],
};

/** Three actions of one run: one was approved, by somebody whose name tries to be more than a name; one was denied. */
export const testStory: Story = {
  id: "run_1",
  runs: ["run_1"],
  agents: ["coder"],
  traceIds: [],
  startedAt: "2026-11-21T10:00:00.000Z",
  endedAt: "2026-11-21T10:02:00.000Z",
  actions: [
    testAction({}),
    testAction({ id: "act_2", approvals: [approval] }),
    testAction({
      id: "act_3",
      state: "denied",
      arguments: { state: "open", value: { branch: "secret-of-a-customer" } },
      decisions: [
        {
          verdict: "deny",
          at: "2026-11-21T10:01:30.000Z",
          seq: 7,
          code: "no-grant",
          reason: "No policy allows it.",
          policies: ["only-branches"],
          policyDigest: "ab12",
          facts: { actionsToday: 3 },
          obligations: [],
          approvals: [],
          shadow: [],
        },
      ],
    }),
  ],
  others: [],
  entries: { sequenced: 9, pending: 0 },
  truncated: false,
};
