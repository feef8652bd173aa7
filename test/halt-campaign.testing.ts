import { setTimeout as delay } from "node:timers/promises";
import type { HaltReach, HaltView } from "@remit/contract";
import { effectsRegistry } from "./effects-registry.testing.ts";
import { openThreeServers } from "./kill-campaign.testing.ts";
import { until } from "./replicas.testing.ts";

export type HaltRound = {
  reach: HaltReach;
  /** From the command until it was answered, by the clock of whoever gave it. */
  answeredMs: number;
  /** When the upstream was last asked for something by the halted agent, after the command and by the upstream's own clock; 0: not at all. */
  lastEffectMs: number;
  /** Effects that the upstream saw after the last server had confirmed: what had been sent before and was on its way. */
  onTheirWay: number;
};

/**
 * Halts one agent again and again while it works on three servers, and compares what they say of it with what the upstream saw. Whoever
 * gives the command, the servers and the upstream are on one machine, and share its clock.
 */
export async function haltCampaign(options: { rounds: number; writers: number; log?: (line: string) => void }): Promise<HaltRound[]> {
  await using stack = new AsyncDisposableStack();
  const { replicas, effects } = await openThreeServers(stack);
  await replicas.apply(effectsRegistry({ url: effects.url, agents: ["one", "two"], capPerDay: 1_000_000, perMinute: 1_000_000 }));
  const people = [await replicas.person("ben"), await replicas.person("ada")] as const;
  const stopping = new AbortController();
  let calls = 0;

  // Half of them of the agent that is halted, so that the servers are busy while it is not.
  const writing = Array.from({ length: options.writers }, async (_, writer) => {
    while (!stopping.signal.aborted) {
      calls += 1;
      const agent = writer % 2 === 0 ? "one" : "two";
      const called = await replicas.callOnce(replicas.pick(), agent, "note", { key: `${agent}-${calls}` }, null, 20_000).catch(() => null);
      if (called?.code === "halted") await delay(10);
    }
  });

  const rounds: HaltRound[] = [];
  try {
    for (let round = 0; round < options.rounds; round += 1) {
      const before = effects.done().length;
      await until(
        "the agent works",
        () =>
          effects
            .done()
            .slice(before)
            .filter(({ key }) => key.startsWith("one-")).length >= 20,
      );
      const commanded = Date.now();
      const halt = await replicas.ask<HaltView>(
        replicas.pick(),
        "/v1/halts",
        { mode: "halt", scope: { type: "agent", name: "one" }, reason: `round ${round}` },
        people[0],
      );
      const answeredMs = Date.now() - commanded;
      const reach = await until("all have confirmed", async () => {
        const { items } = await replicas.ask<{ items: HaltView[] }>(replicas.pick(), "/v1/halts", undefined, people[0]);
        const found = items.find(({ id }) => id === halt.id)?.reach;
        return found !== undefined && found.confirmed === found.servers && found.confirmedMs !== null && found;
      });
      // What was sent before it was cancelled may still arrive: it is waited for, so that it is counted.
      await delay(500);
      const late = effects.done().filter(({ key, at }) => key.startsWith("one-") && at >= commanded);
      rounds.push({
        reach,
        answeredMs,
        lastEffectMs: Math.max(0, ...late.map(({ at }) => at - commanded)),
        onTheirWay: late.filter(({ at }) => at - commanded > (reach.confirmedMs ?? 0)).length,
      });
      options.log?.(
        `round ${round + 1}: last start ${reach.lastStartMs} ms, all confirmed ${reach.confirmedMs} ms, ${reach.cancelled} cancelled`,
      );
      for (const person of people) {
        await replicas.ask(replicas.pick(), `/v1/halts/${halt.id}/release`, { reason: "the next round" }, person);
      }
    }
  } finally {
    stopping.abort();
    await Promise.allSettled(writing);
  }
  return rounds;
}
