import { formatNoteKey } from "@remit/core";
import type { WitnessSettings } from "./witness-folder.ts";

/** A witness as it is shown. `policy`: the lines that the operator of a ledger puts into the policy, but for the address. */
export type WitnessView = { name: string; keys: string[]; watches: string[]; policy: string[] };

export function describeWitness({ name, signers, logs }: WitnessSettings): WitnessView {
  const keys = signers.map(({ key }) => formatNoteKey(key));
  const word = name.replaceAll(/[^a-z0-9]+/gi, "-");
  const policy = keys.map((key, index) => `witness ${word}${index === 0 ? "" : `-${index + 1}`} ${key} https://…`);
  return { name, keys, watches: logs.map(formatNoteKey), policy };
}
