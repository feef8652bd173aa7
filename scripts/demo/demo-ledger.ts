import { readdir, readFile, writeFile } from "node:fs/promises";
import { openWorkshop } from "./workshop.ts";
import type { Printed, Workshop } from "./workshop.ts";

type Say = (line: string) => void;

/** Something that had to hold and did not. */
class Broken extends Error {}

/** Runs the demonstration; 0 only if everything held. Its last line says which. */
export async function demoLedger(say: Say): Promise<number> {
  const began = Date.now();
  try {
    await using workshop = await openWorkshop();
    await show(workshop, say);
  } catch (error) {
    say(`demo:ledger FAILED: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
  say(`demo:ledger: all of it held (${Math.round((Date.now() - began) / 1000)} s)`);
  return 0;
}

async function show(workshop: Workshop, say: Say): Promise<void> {
  const step = (text: string) => say(`  ok  ${text}`);

  say("A real run");
  const { runs } = await workshop.start();
  demand(runs > 0, "no run has ended");
  step(`Remit, PostgreSQL, a helpdesk and a mail server started; an agent has worked through its queue in ${runs} runs`);
  const online = await workshop.remit("audit", "verify");
  demand(online.exit === 0, "remit audit verify does not verify", online);
  step(firstLine(online));

  say("A bundle, checked offline in an empty folder");
  // The key goes another way than the bundle.
  const keys = workshop.path("ledger-keys.txt");
  await writeFile(keys, (await asked(workshop, "audit", "keys")).out);
  const bundle = await exported(workshop, "first.tar");
  const empty = await workshop.placeVerifier();
  demand((await readdir(empty)).join() === "remit-verify.mjs", "the folder is not empty");
  const first = await workshop.verify(bundle, "--keys", keys, "--allow-unanchored");
  demand(first.exit === 0 && first.out.startsWith("OK"), "the bundle does not verify", first);
  step(firstLine(first));
  const unanchored = await workshop.verify(bundle, "--keys", keys);
  demand(unanchored.exit === 4, "without a witness it should have ended with 4", unanchored);
  step(`without --allow-unanchored: ${firstLine(unanchored)} (exit 4)`);
  const untrusted = await workshop.verify(bundle, "--allow-unanchored");
  demand(untrusted.exit === 3, "without a key it should have ended with 3", untrusted);
  step(`without a key: ${firstLine(untrusted)} (exit 3)`);

  say("One byte of it changed");
  const archive = await readFile(bundle);
  const { seq, at } = byteOfAnEntry(archive);
  archive[at] = (archive[at] ?? 0) ^ 1;
  const changed = workshop.path("changed.tar");
  await writeFile(changed, archive);
  const tampered = await workshop.verify(changed, "--keys", keys, "--allow-unanchored");
  demand(tampered.exit === 1 && firstLine(tampered).includes(`seq ${seq}:`), `it should have named entry ${seq}`, tampered);
  step(firstLine(tampered));

  say("A customer erased");
  const opened = (await verdictOf(workshop, await exported(workshop, "opened.tar", "--payloads", "open"), keys)).payloads;
  demand(opened.open > 0, "no payload is open before");
  const erased = await erase(workshop);
  const after = await verdictOf(workshop, await exported(workshop, "after.tar", "--payloads", "open"), keys);
  demand(after.verdict === "ok", `after the erasure the ledger's bundle is ${after.verdict}`);
  demand(after.payloads.erased > opened.erased, "nothing was erased");
  step(`${erased} is erased: ${after.payloads.erased - opened.erased} of its payloads no longer open, and every proof still holds`);
  const again = await workshop.verify(bundle, "--keys", keys, "--allow-unanchored");
  demand(again.exit === 0, "the bundle from before does not verify any more", again);
  step(`the bundle from before: ${firstLine(again)}`);
  const still = await workshop.remit("audit", "verify");
  demand(still.exit === 0, "remit audit verify does not verify after the erasure", still);
  step(firstLine(still));
}

/** A customer about whom something is held, whoever comes first. */
async function erase(workshop: Workshop): Promise<string> {
  const { items } = JSON.parse((await asked(workshop, "privacy", "subjects", "--json")).out) as { items: { subject: string }[] };
  const [{ subject } = { subject: "" }] = items;
  demand(subject !== "", "the ledger knows of no data subject");
  await asked(workshop, "privacy", "erase", subject, "--reason", "asked to be forgotten", "--confirm");
  return subject;
}

async function asked(workshop: Workshop, ...args: readonly string[]): Promise<Printed> {
  const printed = await workshop.remit(...args);
  demand(printed.exit === 0, `remit ${args.join(" ")} failed`, printed);
  return printed;
}

async function exported(workshop: Workshop, name: string, ...more: readonly string[]): Promise<string> {
  const path = workshop.path(name);
  await asked(workshop, "audit", "export", "--output", path, ...more);
  return path;
}

type Verdict = { verdict: string; payloads: { open: number; erased: number } };

async function verdictOf(workshop: Workshop, bundle: string, keys: string): Promise<Verdict> {
  const { out } = await workshop.verify(bundle, "--keys", keys, "--allow-unanchored", "--json");
  return JSON.parse(out) as Verdict;
}

/** A byte in the middle of an archive's entries, and which entry it is of. */
function byteOfAnEntry(archive: Buffer): { seq: number; at: number } {
  const seq = 20;
  const header = archive.indexOf("entries-000001.jsonl");
  let line = header + 512;
  for (let count = 0; count < seq; count += 1) line = archive.indexOf("\n", line) + 1;
  const at = archive.indexOf('"actor":"', line) + 12;
  return { seq, at };
}

function firstLine({ out }: Printed): string {
  return out.split("\n")[0] ?? "";
}

function demand(holds: boolean, otherwise: string, printed?: Printed): void {
  if (!holds) throw new Broken(printed === undefined ? otherwise : `${otherwise} (exit ${printed.exit})\n${printed.out}${printed.err}`);
}
