import { firstProcess } from "./first-process.ts";
import { limitLines } from "./limits.ts";
import { shellWord } from "./shell-words.ts";
import type { ContainedProgram } from "./view.ts";

/** Devices that every program may expect; none of them reaches hardware. */
const devices = ["null", "zero", "full", "random", "urandom", "tty"];

/** Parts of /proc with which root of the machine, where Remit runs as root, could still change the machine. */
const sealedProc = ["sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "kcore", "kmsg", "keys", "timer_list"];

/**
 * Starts a program in namespaces of its own with util-linux alone (`unshare`, `setpriv`, `mount`, `pivot_root`): users, mounts,
 * processes, IPC, host name, and the network unless that is open. It and all that it starts are ended by the kernel when this
 * process ends, however that happens.
 */
export function namespaceCommand(program: ContainedProgram): string[] {
  // The signal of `setpriv` reaches unshare when its parent dies, that of `unshare` its child, process 1 of the new world.
  const launcher = "setpriv --pdeathsig KILL -- unshare --user --map-root-user --mount --pid --ipc --uts --fork --kill-child".split(" ");
  return [...launcher, ...(program.network === "none" ? ["--net"] : []), "--", "/bin/sh", "-c", setUp(program), "remit-sandbox"];
}

function setUp(program: ContainedProgram): string {
  const { view, network } = program;
  return `set -eu
own_path=$PATH
PATH=/usr/sbin:/usr/bin:/sbin:/bin
stage=${shellWord(program.stage)}
mount -t tmpfs -o mode=0755,size=16m tmpfs "$stage"
# Flags of mounts that came from outside are locked: a remount has to repeat them.
seal() {
  while read -r _ _ _ _ at options _; do
    case "$at" in *\\\\*) at=$(printf '%b' "$at") ;; esac
    case "$at" in "$stage$2" | "$stage$2"/*) mount -o "remount,bind,$1,nosuid,nodev,\${options#r?,}" "$at" ;; esac
  done </proc/self/mountinfo
}
show() {
  if [ -e "$stage$3" ]; then :; elif [ -d "$2" ]; then mkdir -p "$stage$3"; else
    [ -d "$stage\${3%/*}" ] || mkdir -p "$stage\${3%/*}"
    : >"$stage$3"
  fi
  mount --rbind "$2" "$stage$3"
  seal "$1" "$3"
}
mkdir "$stage/proc" "$stage/dev" "$stage/tmp"
mount -t tmpfs -o mode=1777,nosuid,nodev,size=256m tmpfs "$stage/tmp"
${view.links.map(({ target, to }) => `ln -s ${shellWord(to)} "$stage"${shellWord(target)}`).join("\n")}
${view.shown.map(({ source, target, access }) => `show ${access === "read" ? "ro" : "rw"} ${shellWord(source)} ${shellWord(target)}`).join("\n")}
${view.hidden.map(({ target, type }) => hide(target, type)).join("\n")}
mkdir -p "$stage"${shellWord(view.cwd)} 2>/dev/null || :
mount -t tmpfs -o mode=0755,nosuid,size=1m tmpfs "$stage/dev"
for device in ${devices.join(" ")}; do
  [ -e "/dev/$device" ] || continue
  : >"$stage/dev/$device"
  mount --bind "/dev/$device" "$stage/dev/$device"
done
ln -s /proc/self/fd "$stage/dev/fd"
ln -s /proc/self/fd/0 "$stage/dev/stdin"
ln -s /proc/self/fd/1 "$stage/dev/stdout"
ln -s /proc/self/fd/2 "$stage/dev/stderr"
mkdir "$stage/dev/shm"
mount -t tmpfs -o mode=1777,nosuid,nodev,size=64m tmpfs "$stage/dev/shm"
mount -t proc -o nosuid,nodev,noexec proc "$stage/proc"
# No user namespace inside this one: that is where most ways out of a sandbox begin.
echo 0 >"$stage/proc/sys/user/max_user_namespaces"
${limitLines(program.limits, '"$stage"/proc')}
for part in ${sealedProc.join(" ")}; do
  [ -e "$stage/proc/$part" ] || continue
  if [ -f "$stage/proc/$part" ] && [ "$part" != sysrq-trigger ]; then mount --bind /dev/null "$stage/proc/$part"; else mount --rbind "$stage/proc/$part" "$stage/proc/$part"; fi
  mount -o remount,bind,ro,nosuid,noexec "$stage/proc/$part"
done
${network === "none" ? loopbackUp : ":"}
${ownAddresses(program)}
mkdir "$stage/.machine"
cd "$stage"
pivot_root . .machine
umount -l /.machine
rmdir /.machine
mount -o remount,bind,ro /
set +e
exec /usr/bin/env PATH="$own_path" setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,+net_bind_service -- /bin/sh -c ${shellWord(firstProcess(program))} remit-sandbox`;
}

/** No single tool for this is on every machine. */
const loopbackUp = `ip link set lo up 2>/dev/null ||
  perl -e 'socket(S, 2, 1, 0) && ioctl(S, 0x8914, pack("a16s x14", "lo", 0x41)) || exit 1' 2>/dev/null ||
  python3 -c 'import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 0x41))' 2>/dev/null ||
  { echo "remit: the sandbox's own loopback network cannot be started: it needs ip, perl or python3" >&2; exit 126; }`;

/** The bridge listens on them; without `ip` it says that it cannot. */
export function ownAddresses({ addresses }: ContainedProgram): string {
  return addresses.map((address) => `ip address add ${shellWord(address)} dev lo || :`).join("\n");
}

function hide(target: string, type: "folder" | "file"): string {
  const at = `"$stage"${shellWord(target)}`;
  if (type === "file") return `mount --bind /dev/null ${at}`;
  return `mount -t tmpfs -o mode=0555,ro,size=4k tmpfs ${at}`;
}
