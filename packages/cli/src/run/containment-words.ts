import type { Containment } from "@remit/contract";

/** How a program is contained, as a sentence without its full stop. */
export function containmentWords({ by, files, network, because }: Containment): string {
  if (by === "nothing") return `not contained${because === null ? "" : `: ${because}`}`;
  const reaches = network === "none" ? "no network" : network === "open" ? "the whole network" : `only ${network.join(", ")}`;
  const sees = files === "declared" ? "its own project and what is declared" : "every file";
  return `contained by ${by}: it reaches ${reaches}, and sees ${sees}${because === null ? "" : ` (${because})`}`;
}
