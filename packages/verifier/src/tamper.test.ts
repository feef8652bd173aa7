import { tamperEdits } from "@remit/server/testing";
import { expect, test } from "vitest";
import { runTamperCampaign, untouchedPasses } from "./tamper-campaign.testing.ts";

test("[AUD-14] a superuser's edits of every kind are found, and what is not found without a kept checkpoint is exactly this", async () => {
  const rows = await runTamperCampaign(tamperEdits.length, { seed: 7 });
  for (const row of rows) expect(row, row.kind).toMatchObject({ tries: 1, missed: [] });
  for (const row of rows.filter(({ needs }) => needs === "none")) expect(row, row.kind).toMatchObject({ either: 1 });
  // Nothing inside a ledger contradicts these: they are why there are witnesses.
  const needing = rows.filter(({ needs }) => needs === "kept");
  expect(needing.map(({ kind, online, offline, kept }) => ({ kind, online, offline, kept }))).toEqual([
    { kind: "an entry rewritten, all of it signed with the stolen key", online: 0, offline: 0, kept: 1 },
    { kind: "everything after an earlier checkpoint removed", online: 0, offline: 0, kept: 1 },
  ]);
});

test("the untouched ledger passes both ways", async () => {
  expect(await untouchedPasses()).toBe(true);
});
