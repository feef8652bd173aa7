import { expect, test } from "vitest";
import { haltCampaign } from "./halt-campaign.testing.ts";

test("[SAF-01][SAF-03] an agent that works on three servers is halted: all confirm, and say when the last execution began", async () => {
  const rounds = await haltCampaign({ rounds: 3, writers: 6 });
  expect(rounds).toHaveLength(3);
  for (const { reach } of rounds) {
    // How soon that was is the campaign's to say: here the machine may be busy.
    expect(reach).toMatchObject({
      servers: 3,
      confirmed: 3,
      missing: [],
      lastStartMs: expect.any(Number),
      confirmedMs: expect.any(Number),
    });
  }
}, 300_000);
