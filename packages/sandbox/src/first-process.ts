import type { ContainedProgram } from "./view.ts";
import { shellWord, shellWords } from "./shell-words.ts";

/**
 * What runs as process 1 of a contained program's own world: opens its way to the network, starts it, hands SIGTERM on to it (a
 * process 1 ignores signals that it does not handle, so the program may not be that itself), and ends as it ended. With process 1
 * the kernel ends every other process of that world.
 */
export function firstProcess(program: ContainedProgram): string {
  const variables = Object.entries(program.variables).map(([name, value]) => `${name}=${value}`);
  const command = variables.length === 0 ? program.command : ["/usr/bin/env", ...variables, ...program.command];
  return [
    "exec 3<&0 </dev/null",
    ...(program.bridge === null ? [] : openBridge(program.bridge)),
    `cd ${shellWord(program.view.cwd)} || exit 126`,
    `${shellWords(command)} <&3 3<&- &`,
    "child=$!",
    "exec 3<&-",
    `trap 'kill -TERM "$child" 2>/dev/null' TERM`,
    `trap 'kill -INT "$child" 2>/dev/null' INT`,
    // A trap interrupts `wait`; the program may still run then.
    `while :; do wait "$child"; code=$?; kill -0 "$child" 2>/dev/null || exit "$code"; done`,
  ].join("\n");
}

function openBridge(bridge: readonly string[]): string[] {
  return [
    "mkfifo /tmp/.bridge || exit 126",
    `${shellWords(bridge)} >/tmp/.bridge 3<&- &`,
    "read -r ready </tmp/.bridge || ready=",
    "rm -f /tmp/.bridge",
    `[ "$ready" = ready ] || { echo "remit: the sandbox has no way to the network" >&2; exit 126; }`,
  ];
}
