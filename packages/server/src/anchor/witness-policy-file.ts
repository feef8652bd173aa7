import { readFile } from "node:fs/promises";
import type { JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { canonicalJson, formatNoteKey, parseWitnessPolicy } from "@remit/core";
import type { WitnessPolicy } from "@remit/core";
import type { AuditStore } from "../ledger/audit.store.ts";
import type { newId } from "../id/new-id.ts";
import { sha256 } from "../keys/note-crypto.ts";
import type { Ledger } from "../ledger/ledger.ts";

/** The file that says who watches this ledger: the same that those who verify it use. */
export const witnessPolicyVariable = "REMIT_WITNESS_POLICY";

const nobody: WitnessPolicy = { logs: [], witnesses: [], organisations: [], quorum: 0, witnessedBy: () => [] };

/** Nobody where no file is named. @throws RemitError `invalid-configuration` */
export async function readWitnessPolicy(environment: Readonly<Record<string, string | undefined>>): Promise<WitnessPolicy> {
  const file = environment[witnessPolicyVariable] ?? "";
  if (file === "") return nobody;
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new RemitError("invalid-configuration", `The file ${file} that ${witnessPolicyVariable} names cannot be read`, { cause });
  });
  const reading = parseWitnessPolicy(sha256, text);
  if (reading.type === "policy") return reading.policy;
  const issues = reading.problems.map(({ line, message }) => ({ message, file, line }));
  const first = reading.problems[0];
  throw new RemitError("invalid-configuration", `${file}, line ${first?.line ?? 1}: ${first?.message ?? "it cannot be read"}`, { issues });
}

/** Notes in the ledger that others are asked to watch it than were before: whoever changes them is to be seen. */
export async function recordWitnessPolicy(
  policy: WitnessPolicy,
  { store, ledger, now, newId: id }: { store: Pick<AuditStore, "find">; ledger: Ledger; now: () => Date; newId: typeof newId },
): Promise<void> {
  const data = {
    quorum: policy.quorum,
    witnesses: policy.witnesses.map(({ name, organisation, key, url }) => ({ name, organisation, vkey: formatNoteKey(key), url })),
  };
  const everything = {
    run: null,
    action: null,
    approval: null,
    trace: null,
    agent: null,
    actor: null,
    tool: null,
    since: null,
    until: null,
  };
  const [last] = await store.find({ ...everything, types: ["witness-policy-changed"] }, { order: "newest", after: null, limit: 1 });
  if (last === undefined ? policy.witnesses.length === 0 : canonicalJson(last.event.data as JsonObject) === canonicalJson(data)) return;
  await ledger.record({ id: id("entry"), type: "witness-policy-changed", at: now().toISOString(), actor: "service:remit", data });
}
