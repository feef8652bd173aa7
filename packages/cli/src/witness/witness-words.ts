import type { WitnessView } from "@remit/server/witness";

export function witnessWords(view: WitnessView): string[] {
  return [
    `witness ${view.name}`,
    ...view.keys.map((key) => `  key      ${key}`),
    ...(view.watches.length === 0 ? ["  watches  nothing yet"] : view.watches.map((key) => `  watches  ${key}`)),
    "Give the operator of the ledger these lines, with the address at which this witness is reached:",
    ...view.policy.map((line) => `  ${line}`),
  ];
}
