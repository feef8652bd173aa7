import { chmod, mkdir, realpath, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Containment, SandboxSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { makeBoxFolder } from "./box-folder.ts";
import { endInside, signalInside } from "./first-signal.ts";
import type { Forwards } from "./forwards.ts";
import { openForwards } from "./forwards.ts";
import type { InsideNetwork } from "./inside-network.ts";
import { insideNetwork } from "./inside-network.ts";
import type { Machine } from "./machine.ts";
import { heldLimits } from "./limits.ts";
import { isNode, nodePermissionArguments } from "./node-permissions.ts";
import { findProgram, isBroad, looksLikePath, programFolders, projectFolders } from "./program-folders.ts";
import { privateIn } from "./private-files.ts";
import type { Reachable } from "./reachable.ts";
import { placeName, reachableOf } from "./reachable.ts";
import { resolverView, systemView } from "./system-view.ts";
import type { Shown, View } from "./view.ts";
import { endWithRemit } from "./watcher.ts";

export type ContainRequest = {
  command: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  sandbox: SandboxSpec;
  /** What relative paths in `sandbox` start from. */
  baseDir: string;
  /** What `env:NAME` in `sandbox.network` is looked up in. */
  variables: Readonly<Record<string, string | undefined>>;
  /** Remit's own folders: never shown, whatever is declared. */
  hidden: readonly string[];
  /** Whether what a project keeps to itself (`.env`, `.git`) is covered, unless it is declared by name. */
  withholdPrivate?: boolean;
  /** Shown read-only besides what is declared. */
  show?: readonly string[];
  /** Reached besides what is declared. */
  reach?: readonly Reachable[];
};

/** How to start a program so that it is contained, and what has to be known about it while it runs. */
export type Contained = {
  file: string;
  args: string[];
  cwd: string;
  env: Record<string, string>;
  containment: Containment;
  /** Once started, as the leader of a process group. */
  started(pid: number): void;
  /** Asks the program to end. */
  ask(pid: number, signal: NodeJS.Signals): void;
  /** How the program itself ended, from how the started process did. */
  endOf(code: number | null, signal: NodeJS.Signals | null): { code: number | null; signal: NodeJS.Signals | null };
  /** Closes its ways out and removes its scratch folder. Once it has ended. */
  dispose(): Promise<void>;
};

/** Variables that would change what the launcher does before anything is contained: the loader's, the shell's. None is a secret. */
const early =
  /^(?:LD_\w+|DYLD_\w+|BASH.*|SHELLOPTS|PS4|ENV|PATH|IFS|GCONV_PATH|GLIBC_TUNABLES|LOCPATH|NLSPATH|LIBMOUNT_\w+|MALLOC_\w+|NODE_OPTIONS|NODE_PATH|PERL5\w+|PYTHONPATH|PYTHONHOME|PYTHONSTARTUP)$/;

/**
 * Prepares the start of a program, contained as its registration declares and as far as the machine can.
 * @throws RemitError `invalid-configuration` (what is declared cannot be, or containment is required and cannot be);
 *   Error where there is no such program or folder
 */
export async function contain(request: ContainRequest, machine: Machine): Promise<Contained> {
  const { sandbox } = request;
  if (sandbox.mode === "off") return uncontained(request, "it is switched off");
  const program = await findProgram(request.command, request.env["PATH"] ?? "", request.cwd);
  if (program === null) throw new Error(`spawn ${request.command} ENOENT`);
  if (!(await isFolder(request.cwd))) throw new Error(`spawn ${request.command} ENOENT: there is no folder ${request.cwd}`);
  if (machine.launch !== null) return await inNamespaces(request, program, machine);
  if (sandbox.mode === "required") {
    const message = `its registration requires containment, and this machine cannot contain it: ${machine.why}`;
    throw new RemitError("invalid-configuration", message);
  }
  if (isNode(program) && request.args[0] !== undefined && !request.args[0].startsWith("-")) {
    return await byNode(request, program, machine.why);
  }
  return uncontained(request, machine.why);
}

async function inNamespaces(request: ContainRequest, program: string, machine: Machine): Promise<Contained> {
  const { launch, by } = machine;
  if (launch === null || by === null) throw new Error("this machine contains nothing");
  const { network } = request.sandbox;
  const limits = heldLimits(request.sandbox.limits);
  const places = network === "open" ? [] : reachableOf(network === "none" ? [] : network, request.variables);
  for (const place of network === "open" ? [] : (request.reach ?? [])) {
    if (!places.some((one) => placeName(one) === placeName(place))) places.push(place);
  }
  const box = await openBox(places);
  try {
    const view = await viewOf(request, program, [...box.shown, ...(network === "open" ? await resolverView() : [])]);
    const command = launch({
      view,
      stage: box.stage,
      network: network === "open" ? "open" : "none",
      addresses: box.addresses,
      bridge: box.bridge,
      variables: Object.fromEntries(Object.entries(request.env).filter(([name]) => early.test(name))),
      limits,
      command: [program, ...request.args],
    });
    const [file = "", ...args] = command;
    return {
      file,
      args,
      cwd: "/",
      env: {
        ...Object.fromEntries(Object.entries(request.env).filter(([name]) => !early.test(name))),
        PATH: process.env["PATH"] ?? "/usr/bin:/bin",
        HOME: box.scratch,
        TMPDIR: box.scratch,
      },
      containment: {
        by,
        files: "declared",
        network: network === "open" ? "open" : places.length === 0 ? "none" : places.map(placeName),
        endsBy: "kernel",
        limits,
        because: null,
      },
      started: () => undefined,
      ask: signalInside,
      endOf: endInside,
      dispose: () => box.dispose(),
    };
  } catch (error) {
    await box.dispose();
    throw error;
  }
}

async function byNode(request: ContainRequest, program: string, why: string): Promise<Contained> {
  const box = await openBox([]);
  const view = await viewOf(request, program, [{ source: box.scratch, target: box.scratch, access: "write" }]);
  const plain = uncontained(request, why);
  return {
    ...plain,
    file: program,
    args: [...(await nodePermissionArguments(view)), ...request.args],
    env: { ...request.env, HOME: box.scratch, TMPDIR: box.scratch },
    containment: { ...plain.containment, by: "node-permissions", files: "declared" },
    dispose: async () => {
      await plain.dispose();
      await box.dispose();
    },
  };
}

function uncontained(request: ContainRequest, why: string): Contained {
  let ended: (() => void) | null = null;
  return {
    file: request.command,
    args: [...request.args],
    cwd: request.cwd,
    env: { ...request.env },
    containment: { by: "nothing", files: "everything", network: "open", endsBy: "watcher", because: why },
    started(pid) {
      ended = endWithRemit(pid);
    },
    ask(pid, signal) {
      try {
        process.kill(-pid, signal);
      } catch {
        // Nothing of the group is left.
      }
    },
    endOf: (code, signal) => ({ code, signal }),
    dispose: () => {
      ended?.();
      return Promise.resolve();
    },
  };
}

type Box = { stage: string; scratch: string; shown: Shown[]; addresses: string[]; bridge: string[] | null; dispose(): Promise<void> };

/** The folder of one contained program: where its view is gathered, its scratch folder, and its ways out. */
async function openBox(places: readonly Reachable[]): Promise<Box> {
  const folder = await makeBoxFolder();
  const inBox = async (name: string) => {
    await mkdir(join(folder, name), { mode: 0o700 });
    return join(folder, name);
  };
  const [stage, scratch, net] = [await inBox("stage"), await inBox("scratch"), await inBox("net")];
  let ways: Forwards | null = null;
  const dispose = async () => {
    ways?.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  try {
    ways = await openForwards(net, places);
    const shown: Shown[] = [{ source: scratch, target: scratch, access: "write" }];
    if (places.length === 0) return { stage, scratch, shown, addresses: [], bridge: null, dispose };
    const inside = insideNetwork(
      ways.forwards.map(({ place, socket }) => ({ place, socket: join("/run/remit/net", relative(net, socket)) })),
    );
    await writeFile(join(folder, "hosts"), inside.hosts);
    await chmod(join(folder, "hosts"), 0o444);
    const node = await realpath(process.execPath);
    const script = fileURLToPath(new URL(`./bridge${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url));
    const insideScript = `/run/remit/bridge.m${script.slice(-2)}`;
    shown.push(
      { source: net, target: "/run/remit/net", access: "read" },
      { source: script, target: insideScript, access: "read" },
      { source: join(folder, "hosts"), target: "/etc/hosts", access: "read" },
      { source: node, target: node, access: "read" },
    );
    return { stage, scratch, shown, addresses: inside.addresses, bridge: [node, insideScript, ...bridgeArguments(inside)], dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function bridgeArguments(inside: InsideNetwork): string[] {
  return inside.listens.flatMap(({ address, port, socket }) => [address, String(port), socket]);
}

/** What a program sees: the system, what it is made of, what its command line and registration name, and a scratch folder. */
async function viewOf(request: ContainRequest, program: string, more: readonly Shown[]): Promise<View> {
  const home = homedir();
  const path = request.env["PATH"] ?? "";
  const system = await systemView();
  const paths = new Map<string, Shown>();
  const show = async (shownPath: string, access: "read" | "write") => {
    const source = await realpath(shownPath).catch(() => null);
    if (source === null || source === "/") return;
    for (const target of new Set([shownPath, source])) {
      // What the machine itself has as a link, such as /bin, is one inside as well.
      if (system.links.some((link) => isInside(target, link.target))) continue;
      if (paths.get(target)?.access !== "write") paths.set(target, { source, target, access });
    }
  };

  const projects = new Set<string>();
  for (const folder of await programFolders(program, path, home)) await show(folder, "read");
  const cwd = resolve(request.cwd);
  for (const folder of [cwd, await realpath(cwd)]) {
    if (isBroad(folder, home)) continue;
    for (const part of [folder, ...(await projectFolders(folder, home))]) {
      await show(part, "read");
      projects.add(part);
    }
  }
  for (const named of request.args.filter(looksLikePath).map((argument) => resolve(cwd, argument))) {
    const status = await stat(named).catch(() => null);
    if (status === null || isBroad(named, home)) continue;
    await show(named, "read");
    projects.add(named);
    if (!status.isFile()) continue;
    for (const part of await projectFolders(await realpath(named), home)) {
      await show(part, "read");
      projects.add(part);
    }
  }
  for (const named of request.show ?? []) await show(named, "read");
  const implied = new Set(paths.keys());
  const declared = new Set<string>();
  for (const access of ["read", "write"] as const) {
    for (const text of request.sandbox[access]) {
      const place = await declaredPath(text, access, request, home);
      await show(place, access);
      declared.add(place).add(await realpath(place));
    }
  }
  // What a command line happens to name is not kept from being written in a folder that is declared writable.
  const writable = [...paths.values()].filter(({ access }) => access === "write").map(({ target }) => target);
  for (const target of implied) {
    if (!declared.has(target) && writable.some((folder) => folder !== target && isInside(target, folder))) paths.delete(target);
  }

  const shown = [...system.shown, ...paths.values(), ...more].toSorted((one, other) =>
    one.target === other.target ? 0 : one.target < other.target ? -1 : 1,
  );
  const kept = request.withholdPrivate === true ? await privateIn([...projects, ...declared], declared) : [];
  return { links: system.links, shown: withoutRepeats(shown), hidden: await hiddenIn(shown, [...request.hidden, ...kept]), cwd };
}

async function declaredPath(text: string, access: string, request: ContainRequest, home: string): Promise<string> {
  const path = text === "~" || text.startsWith("~/") ? join(home, text.slice(1)) : resolve(request.baseDir, text);
  const real = await realpath(path).catch(() => null);
  if (real === null) throw new RemitError("invalid-configuration", `sandbox.${access} names ${text}, which is not there`);
  if (real === "/")
    throw new RemitError("invalid-configuration", `sandbox.${access} names the whole machine; say mode: off if that is meant`);
  for (const hidden of request.hidden) {
    if (isInside(real, await realpath(hidden).catch(() => resolve(hidden)))) {
      throw new RemitError("invalid-configuration", `sandbox.${access} names ${text}, which is Remit's own data and is never shown`);
    }
  }
  return path;
}

/** Leaves out what something above it shows already, in the same way. Later entries for the same place win. */
function withoutRepeats(sorted: readonly Shown[]): Shown[] {
  const kept: Shown[] = [];
  const last = new Map(sorted.map((one) => [one.target, one]));
  for (const one of last.values()) {
    const above = kept.findLast(({ target }) => isInside(one.target, target));
    const same =
      above !== undefined && above.access === one.access && join(above.source, relative(above.target, one.target)) === one.source;
    if (!same) kept.push(one);
  }
  return kept;
}

async function hiddenIn(shown: readonly Shown[], hidden: readonly string[]): Promise<View["hidden"]> {
  const covered = new Map<string, { target: string; type: "folder" | "file" }>();
  for (const path of hidden) {
    const real = await realpath(path).catch(() => null);
    if (real === null) continue;
    const type = (await isFolder(real)) ? "folder" : "file";
    for (const { source, target } of shown) {
      if (isInside(real, source)) covered.set(join(target, relative(source, real)), { target: join(target, relative(source, real)), type });
    }
  }
  return [...covered.values()];
}

/** Is it that folder, or in it? */
function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === "" || (!way.startsWith("..") && !isAbsolute(way));
}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
}
