import { spawn } from "node:child_process";
import type { Writable } from "node:stream";

/** Reads which process groups live; when its input ends, because Remit has, however that happened, it ends them. */
const script = `trap "" TERM INT HUP
groups=
while read -r what group; do
  case $what in
    +) groups="$groups $group" ;;
    -) kept=; for one in $groups; do [ "$one" = "$group" ] || kept="$kept $one"; done; groups=$kept ;;
  esac
done
for one in $groups; do kill -s KILL -- "-$one"; done`;

let input: Writable | null = null;

/**
 * Has a process group ended should Remit end without doing so itself: for programs that no kernel ends with it.
 * @returns to be called when the group has ended by itself, for its number can become another's
 */
export function endWithRemit(group: number): () => void {
  const to = (input ??= startWatcher());
  to.write(`+ ${group}\n`);
  return () => void to.write(`- ${group}\n`);
}

function startWatcher(): Writable {
  const watcher = spawn("/bin/sh", ["-c", script], { stdio: ["pipe", "ignore", "ignore"], detached: true, cwd: "/", env: {} });
  // Where there is no shell nobody watches; ordinary ends are still seen to by whoever started the program.
  watcher.on("error", () => undefined);
  watcher.stdin.on("error", () => undefined);
  watcher.unref();
  if ("unref" in watcher.stdin && typeof watcher.stdin.unref === "function") watcher.stdin.unref();
  return watcher.stdin;
}
