import { expect, test } from "vitest";
import { haltCampaign } from "./halt-campaign.testing.ts";

test("[SAF-01][SAF-03] an agent that works on three servers is halted: all confirm, and the upstream is asked for nothing after that", async () => {
  const rounds = await haltCampaign({ rounds: 3, writers: 6 });
  expect(rounds).toHaveLength(3);
  for (const { reach, afterConfirmed } of rounds) {
    expect(reach).toMatchObject({ servers: 3, confirmed: 3, missing: [] });
    // When it was, is the campaign's to say: here the machine may be busy. That nothing came afterwards holds on any.
    expect(afterConfirmed).toBe(0);
    expect(reach.lastStartMs).not.toBeNull();
  }
}, 300_000);
