import { join } from "node:path";
import { parseNoteKey } from "@remit/core";
import { ledgerKeysOf, openTamperRoom, seeded, tamperEdits } from "@remit/server/testing";
import { openFolder } from "./bundle.testing.ts";
import { sha256 } from "./crypto.ts";
import { verifyBundle } from "./verify-bundle.ts";

/** What became of the edits of one kind. */
export type TamperRow = {
  kind: string;
  needs: "none" | "kept";
  tries: number;
  /** By `remit audit verify`, and by `remit-verify` of an export: with nothing but the ledger and its key. */
  online: number;
  offline: number;
  /** By either of them. */
  either: number;
  /** By `remit-verify` with a checkpoint that somebody has kept. */
  kept: number;
  /** Seeds of edits that nobody found, although they should be. */
  missed: number[];
};

/** Tampers with a ledger so many times, the kinds in turn, and looks each time what notices. */
export async function runTamperCampaign(
  edits: number,
  { seed = 1, say = () => {} }: { seed?: number; say?: (text: string) => void } = {},
): Promise<TamperRow[]> {
  await using room = await openTamperRoom();
  await using folder = await openFolder();
  const keys = (await ledgerKeysOf(room.ledger)).flatMap((text) => parseNoteKey(sha256, text) ?? []);
  const rows = tamperEdits.map(({ kind, needs }): TamperRow => ({
    kind,
    needs,
    tries: 0,
    online: 0,
    offline: 0,
    either: 0,
    kept: 0,
    missed: [],
  }));
  for (let index = 0; index < edits; index += 1) {
    const edit = tamperEdits[index % tamperEdits.length];
    const row = rows[index % tamperEdits.length];
    if (edit === undefined || row === undefined) break;
    const own = seed * 1_000_003 + index;
    const found = await room.tamper(
      (superuser) => edit.apply(superuser, seeded(own), room),
      async (tampered) => {
        const verdict = await tampered.verify();
        const bundle = await tampered.exportTo(join(folder.path, "bundle.tar"));
        const offline = async (kept: string[]) =>
          bundle === null || (await verifyBundle(bundle, { keys, policy: null, kept, allowUnanchored: true })).verdict !== "ok";
        return { online: verdict?.ok !== true, offline: await offline([]), kept: await offline([room.kept]) };
      },
    );
    row.tries += 1;
    row.online += Number(found.online);
    row.offline += Number(found.offline);
    row.either += Number(found.online || found.offline);
    row.kept += Number(found.kept);
    if (!found.online && !found.kept) row.missed.push(own);
    if ((index + 1) % 50 === 0) say(`${index + 1} edits`);
  }
  return rows;
}

/** The untouched ledger passes both ways: what is found above is found for a reason. */
export async function untouchedPasses(): Promise<boolean> {
  await using room = await openTamperRoom();
  await using folder = await openFolder();
  const keys = (await ledgerKeysOf(room.ledger)).flatMap((text) => parseNoteKey(sha256, text) ?? []);
  const passes = await room.tamper(
    async () => {},
    async (ledger) => {
      const bundle = await ledger.exportTo(join(folder.path, "bundle.tar"));
      if (bundle === null) return false;
      const { verdict } = await verifyBundle(bundle, { keys, policy: null, kept: [room.kept], allowUnanchored: false });
      return (await ledger.verify())?.ok === true && verdict === "ok";
    },
  );
  return passes;
}
