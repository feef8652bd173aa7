import { release, userInfo } from "node:os";
import type { Containment, SandboxLimits } from "@remit/contract";
import { sandboxLimitsSchema } from "@remit/contract";

export type HeldLimits = NonNullable<Containment["limits"]>;

/** How the number of processes is held: by the program's own world, by its user, or not at all. */
type ProcessesBy = "world" | "user" | null;

const mib = 1024 * 1024;

/**
 * Since Linux 6.14 each world of processes has a `pid_max` of its own. Before, the same file is the machine's, and root of the machine could
 * write it from inside: so it is asked by version and never tried out. Root is held by no limit of its user.
 */
export function processesHeldBy(kernel = release(), uid = userInfo().uid): ProcessesBy {
  const [major = 0, minor = 0] = kernel.split(".").map((part) => Number.parseInt(part, 10));
  if (major > 6 || (major === 6 && minor >= 14)) return "world";
  // Counted for each world of users since 5.14; before, for the user on the whole machine, which would hold Remit as well.
  if (uid !== 0 && (major > 5 || (major === 5 && minor >= 14))) return "user";
  return null;
}

/** What is declared, with the defaults, as far as this machine holds it. */
export function heldLimits(declared: SandboxLimits | undefined, by = processesHeldBy()): HeldLimits {
  const { memoryMb, processes, fileMb, openFiles, cpuSeconds } = declared ?? sandboxLimitsSchema.parse({});
  return { memoryMb, processes: by === null ? null : processes, fileMb, openFiles, cpuSeconds: cpuSeconds ?? null };
}

/**
 * Shell lines by which a launcher limits itself, and so all that it starts: limits are inherited and cannot be raised. Data and not address
 * space is what memory is measured by, for runtimes reserve address space by the terabyte and never touch it.
 * @param proc where the new world's /proc is
 */
export function limitLines(limits: HeldLimits, proc: string, by = processesHeldBy()): string {
  const options = [
    "--core=0",
    `--data=${limits.memoryMb * mib}`,
    `--fsize=${limits.fileMb * mib}`,
    `--nofile=${limits.openFiles}`,
    ...(limits.cpuSeconds === null ? [] : [`--cpu=${limits.cpuSeconds}`]),
    ...(by === "user" && limits.processes !== null ? [`--nproc=${limits.processes}`] : []),
  ];
  return [
    // One that is lower from outside cannot be raised, and stays as it is.
    ...options.map((option) => `prlimit --pid $$ ${option} 2>/dev/null || :`),
    ...(by === "world" && limits.processes !== null ? [`echo ${limits.processes} >${proc}/sys/kernel/pid_max`] : []),
  ].join("\n");
}
