import type { CheckpointView, Story } from "@remit/contract";
import { safeLine } from "../terminal/safe-text.ts";

/** What a commit, a pull request or a ticket says of the agent's work behind it. */
export type Trailer = { key: string; value: string };

/** More would not be read in a message; the trace has them all. */
const mostNamed = 5;

/**
 * The story of a run or an action as git trailers (git-interpret-trailers): who acted, who answers for it, who approved, where the whole
 * is told, and the signed root that it can be held against.
 */
export function trailersOf(story: Story, checkpoint: CheckpointView | null, url: string): Trailer[] {
  const { actions, runs } = story;
  const unique = (values: readonly (string | null)[]) => [...new Set(values.filter((value) => value !== null))];
  const states = Map.groupBy(actions, ({ state }) => state);
  const counts = [...states].map(([state, all]) => `${all.length} ${state}`).join(", ");
  const votes = actions.flatMap(({ approvals }) =>
    approvals.flatMap((approval) => approval.votes.filter(({ vote }) => vote === "approve").map(({ by }) => `${by} (${approval.id})`)),
  );
  const trailers: Trailer[] = [
    ...unique(
      actions.map(({ agent, version }) => (agent === null ? null : `${agent}${version === null ? "" : ` ${version.slice(0, 12)}`}`)),
    ).map((value) => ({ key: "Agent", value })),
    ...unique(actions.map(({ accountable }) => accountable)).map((value) => ({ key: "Agent-Accountable", value })),
    ...runs.slice(0, mostNamed).map((value) => ({ key: "Agent-Run", value })),
    ...(counts === "" ? [] : [{ key: "Agent-Actions", value: counts }]),
    ...unique(votes)
      .slice(0, mostNamed)
      .map((value) => ({ key: "Agent-Approved-By", value })),
    { key: "Agent-Trace", value: `${url}/v1/audit/show/${encodeURIComponent(story.id)}` },
    ...(checkpoint === null ? [] : [{ key: "Agent-Ledger", value: `${checkpoint.size} ${checkpoint.root}` }]),
  ];
  // A name with a line end in it would be a trailer of its own.
  return trailers.map(({ key, value }) => ({ key, value: safeLine(value) }));
}
