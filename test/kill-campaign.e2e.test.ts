import { expect, test } from "vitest";
import { killCampaign } from "./kill-campaign.testing.ts";

/** The smaller form of `npm run campaign:kill`. */
test("[RUN-17][RUN-29][SAF-21] servers, the one that gives the order and PostgreSQL are killed under load, and nothing that was promised is broken", async () => {
  const report = await killCampaign({ kills: 6, writers: 3, seed: 16 });
  expect(report.broken).toEqual([]);
  expect(report.kills.postgres).toBeGreaterThan(0);
  expect(report.kills.server + report.kills.sequencer).toBeGreaterThan(1);
  expect(report.calls.acknowledged).toBeGreaterThan(0);
}, 600_000);
