import type { Containment } from "@remit/contract";

/** How a program is contained, as a sentence without its full stop. */
export function containmentWords({ by, files, network, limits, because }: Containment): string {
  if (by === "nothing") return `not contained${because === null ? "" : `: ${because}`}`;
  const reaches = network === "none" ? "no network" : network === "open" ? "the whole network" : `only ${network.join(", ")}`;
  const sees = files === "declared" ? "its own project and what is declared" : "every file";
  return `contained by ${by}: it reaches ${reaches}, and sees ${sees}${limitWords(limits)}${because === null ? "" : ` (${because})`}`;
}

function limitWords(limits: Containment["limits"]): string {
  if (limits === undefined) return "";
  const { memoryMb, processes, fileMb } = limits;
  const count = processes === null ? "as many processes as it likes, for this machine cannot hold that" : `${processes} processes`;
  return `; it takes at most ${memoryMb} MiB each for ${count}, and writes files of at most ${fileMb} MiB`;
}
