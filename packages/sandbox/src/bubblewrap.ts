import { firstProcess } from "./first-process.ts";
import { limitLines } from "./limits.ts";
import { ownAddresses } from "./namespaces.ts";
import { shellWord } from "./shell-words.ts";
import type { ContainedProgram } from "./view.ts";

const worlds = [
  // With another user inside, bubblewrap puts a second world of users around the program, without rights over its network.
  "--unshare-user --uid 0 --gid 0 --unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try --die-with-parent --as-pid-1",
  // Over its own world alone, and only until `settle` has run.
  "--cap-add ALL",
  `--proc /proc --dev /dev --perms 1777 --size ${256 * 1024 * 1024} --tmpfs /tmp`,
].flatMap((options) => options.split(" "));

/** Starts a program with bubblewrap, which desktops use for the same: no more privileges than whoever starts it has. */
export function bubblewrapCommand(bwrap: string, program: ContainedProgram): string[] {
  const { view, network } = program;
  return [
    bwrap,
    ...worlds,
    ...(network === "none" ? ["--unshare-net"] : []),
    ...view.links.flatMap(({ target, to }) => ["--symlink", to, target]),
    ...view.shown.flatMap(({ source, target, access }) => [access === "read" ? "--ro-bind" : "--bind", source, target]),
    ...view.hidden.flatMap(({ target, type }) =>
      type === "folder" ? ["--size", "4096", "--tmpfs", target, "--remount-ro", target] : ["--ro-bind", "/dev/null", target],
    ),
    "--dir",
    view.cwd,
    "--remount-ro",
    "/",
    "--",
    "/bin/sh",
    "-c",
    settle(program),
    "remit-sandbox",
  ];
}

/**
 * What bubblewrap's own options cannot do together: no user namespaces inside this one (`--disable-userns` takes away the rights
 * over its network), and ports such as 443 for whoever stands in for a host.
 */
function settle(program: ContainedProgram): string {
  return `set -eu
own_path=$PATH
PATH=/usr/sbin:/usr/bin:/sbin:/bin
echo 0 >/proc/sys/user/max_user_namespaces
${limitLines(program.limits, "/proc")}
${program.network === "none" ? "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start" : ":"}
${ownAddresses(program)}
# bubblewrap leaves it open to root of the machine, where Remit runs as root.
mount --rbind /proc/sys /proc/sys
mount -o remount,bind,ro,nosuid,nodev,noexec /proc/sys
set +e
exec /usr/bin/env PATH="$own_path" setpriv --no-new-privs --inh-caps=-all --ambient-caps=-all --bounding-set=-all -- /bin/sh -c ${shellWord(firstProcess(program))} remit-sandbox`;
}
