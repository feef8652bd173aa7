import { posix, resolve } from "node:path";
import { forEachChild, parse } from "unbash";
import type { Assignment, Command, Redirection, SyntaxNode, Word } from "unbash";
import {
  interpreters,
  launchers,
  otherShells,
  redefining,
  sayers,
  shells,
  steeringVariable,
  subcommandsThatRun,
  wrappers,
} from "./command-wrappers.ts";
import { hiddenEvaluation, hiddenInWords } from "./hidden-evaluation.ts";
import { hostOfRepository, hostsGiven, hostsOf } from "./hosts.ts";
import { gitRuns, isToldToRun } from "./running-options.ts";
import { sedFault } from "./sed-script.ts";
import { readShellOptions } from "./shell-options.ts";
import { expandBraces, readWord } from "./shell-word.ts";
import type { ShellWord } from "./shell-word.ts";

/** Everything that a command line says of itself. Nothing is run, and no file is looked at. */
export type CommandReading = {
  /** Every program, also inside of other commands; a path stays a path unless it is the system's own. */
  programs: string[];
  /** The same with the first argument that is no option: `git push`. */
  commands: string[];
  hosts: string[];
  writesFiles: boolean;
  /** Whatever may name a file, with every folder that it may be relative to. */
  places: { text: string; glob: boolean }[];
  folders: string[];
  /** There are more places than can be looked at. */
  tooMany: boolean;
  /** What cannot be known without running it. Empty: everything was understood. */
  unclear: string[];
};

const deepest = 8;
const longest = 65_536;
const mostPrograms = 500;
const mostFolders = 16;
const mostPlaces = 500;

/** Reads a Bash command line, and the command lines in it. */
export function readCommand(source: string, { cwd, home }: { cwd: string; home: string }): CommandReading {
  const programs = new Set<string>();
  const commands = new Set<string>();
  const hosts = new Set<string>();
  const unclear = new Set<string>();
  const folders = new Set([cwd]);
  const places = new Map<string, CommandReading["places"][number]>();
  let writesFiles = false;
  let count = 0;
  let tooMany = false;

  function line(text: string, depth: number): void {
    if (depth > deepest || text.length > longest) return void unclear.add("it is nested too deeply or too long to be read");
    visit(parse(text), depth);
  }

  function visit(node: SyntaxNode, depth: number): void {
    if (node.type === "Script" && node.errors !== undefined && node.errors.length > 0)
      unclear.add(`it cannot be parsed: ${node.errors[0]?.message ?? "an error"}`);
    const unread = (node.type === "CommandExpansion" || node.type === "ProcessSubstitution") && node.script === undefined;
    if (unread) unclear.add("a substitution in it cannot be parsed");
    const hidden = hiddenEvaluation(node);
    if (hidden !== null) unclear.add(hidden);
    if (node.type === "Coproc") unclear.add("it starts a coprocess");
    if (node.type === "Assignment") assignment(node);
    if (node.type === "Redirect" || node.type === "HereString") redirection(node);
    // Depth is that of command lines inside of command lines; the parser bounds that of its own nodes.
    if (node.type === "Command") command(node, depth);
    forEachChild(node, (child) => visit(child, depth));
  }

  function word(node: Word): ShellWord {
    return readWord(node, { home, folder: cwd });
  }

  function assignment({ name, value }: Assignment): void {
    if (steeringVariable.test(name)) unclear.add(`it sets ${name}, which steers other programs`);
    if (value.type === "Word") place(word(value));
  }

  function redirection(node: Redirection): void {
    if (node.type === "HereDoc" || node.target === undefined) return;
    const target = word(node.target);
    if (node.type === "HereString") return place(target);
    if (/^[<>]&$/.test(node.operator) && /^(\d+-?|-)$/.test(target.text)) return;
    if (!target.exact) unclear.add("it redirects to or from what only running it would tell");
    if (target.text.startsWith("/dev/tcp/") || target.text.startsWith("/dev/udp/")) {
      unclear.add("it opens a connection by redirection");
      const host = target.text.split("/")[3];
      if (host !== undefined) hosts.add(host);
      return;
    }
    if (node.operator !== "<" && target.text !== "/dev/null") writesFiles = true;
    place(target);
  }

  function place({ text, glob }: ShellWord): void {
    for (const host of hostsOf(text)) hosts.add(host);
    if (/^(?!file:)[a-z][a-z0-9+.-]*:\/\//i.test(text)) return;
    const bare = text.replace(/^-[a-zA-Z]/, "");
    const pieces = new Set([text, ...text.split(/[=:,]/), text.replace(/^@/, ""), ...(bare === text ? [] : [bare])]);
    for (const piece of pieces) {
      if (piece === "" || /^-+$/.test(piece)) continue;
      const expanded = glob ? expandBraces(piece) : [piece];
      if (expanded === null) unclear.add("a word of it stands for too many others");
      for (const one of expanded ?? [])
        places.set(one, { text: one, glob: places.get(one)?.glob === true || (glob && /[*?[(]/.test(one)) });
    }
  }

  function command(node: Command, depth: number): void {
    if (node.name === undefined) return;
    const words = [node.name, ...node.args.map((argument) => (argument.type === "Word" ? argument : null))];
    const read = words.map((one, index) => {
      if (one !== null) return word(one);
      const given = node.args[index - 1];
      return {
        text: given?.text ?? "",
        exact: given?.type === "Assignment" && given.value.type === "Word" && word(given.value).exact,
        glob: false,
      };
    });
    const readsStdin = node.redirects.some(({ type }) => type !== "Redirect");
    run(read, depth, readsStdin);
  }

  /** One command and what it runs in its turn. */
  function run(words: readonly ShellWord[], depth: number, fed: boolean): void {
    const [first, ...rest] = words;
    if (first === undefined) return;
    count += 1;
    if (count > mostPrograms || depth > deepest) return void unclear.add("it runs more than can be looked at");
    if (!first.exact || first.glob || first.text === "") return void unclear.add("which program it runs is only known when it runs");
    const program = programName(first.text);
    const operands = rest.filter(({ text }) => !text.startsWith("-"));
    programs.add(program);
    if (program.includes("/")) place(first);
    const [subcommand] = program === "git" ? gitOperands(rest) : operands;
    commands.add(subcommand === undefined ? program : `${program} ${subcommand.text}`.slice(0, 200));
    for (const one of rest) place(one);
    if (rest.some(({ exact }) => !exact) && !sayers.has(program)) unclear.add(`what ${program} is given is only known when it runs`);

    // What is handed to another shell as one word is no name of a program.
    if (/[\s;&|<>()$`=]/.test(program)) unclear.add("which program it runs is only known when it runs");
    const hidden = hiddenInWords(program, rest);
    if (hidden !== null) unclear.add(hidden);
    if (redefining.has(program)) unclear.add(`${program} changes what later words mean`);
    if (program === "cd" || program === "pushd")
      enter(
        rest.find(({ text }) => text === "-" || !text.startsWith("-")),
        program,
      );
    if (program === "env") {
      for (const { text } of rest) {
        const name = /^([A-Za-z_][A-Za-z0-9_]*)=/.exec(text)?.[1];
        if (name !== undefined && steeringVariable.test(name)) unclear.add(`it sets ${name}, which steers other programs`);
      }
    }
    const texts = rest.map(({ text }) => text);
    for (const host of hostsGiven(program, texts)) hosts.add(host);
    if (program === "git") git(texts, subcommand?.text, operandsAfter(rest, subcommand));
    if (program === "sed" || program === "gsed") {
      const fault = sedFault(texts);
      if (fault !== null) unclear.add(fault);
    }
    if (program === "eval" || program === "trap") {
      const script = program === "eval" ? texts.slice(texts[0] === "--" ? 1 : 0).join(" ") : (operands[0]?.text ?? "");
      if (rest.every(({ exact }) => exact)) line(script, depth + 1);
      return;
    }
    if (isToldToRun(program, texts)) unclear.add(`${program} is told to run another program`);
    if (launchers.has(program) || /(?:^|\/)ld[-.][\w.+-]*$/.test(program)) unclear.add(`${program} runs another program`);
    for (const [index, text] of texts.entries()) {
      const glued = /^(?:-C|--(?:directory|chdir|cwd)=)(.+)$/s.exec(text)?.[1];
      if (glued !== undefined) goTo(glued);
      else if (/^(?:-C|--directory|--chdir|--cwd)$/.test(text) || (program === "sudo" && text === "-D")) folderOption(rest[index + 1]);
    }
    if (program === "find") findActions(rest, depth);
    if (shells.has(program)) return shell(program, rest, depth, fed);
    if (otherShells.has(program)) return void unclear.add(`${program} speaks another language`);
    const code = interpreters.get(program.replace(/^(python|perl|ruby|php|lua)[\d.]+$/, "$1"));
    if (code !== undefined && (fed || rest.length === 0 || rest.some(({ text }) => code.test(text))))
      unclear.add(`${program} runs what is not a command line`);
    wrapped(program, rest, depth, fed);
  }

  function enter(target: ShellWord | undefined, program: string): void {
    if (target === undefined && program === "cd") return void folders.add(home);
    if (target === undefined || !target.exact || target.glob || /^[-+]/.test(target.text)) {
      return void unclear.add("which folder it goes to is only known when it runs");
    }
    goTo(target.text);
  }

  /** Whether it goes there, and when, is not followed: what comes after is looked for in every folder. */
  function goTo(target: string): void {
    const before = [...folders];
    if (before.length <= mostFolders) for (const folder of before) folders.add(resolve(folder, target));
    if (folders.size > mostFolders) tooMany = true;
  }

  function shell(program: string, rest: readonly ShellWord[], depth: number, fed: boolean): void {
    const { script, file, wantsScript, odd } = readShellOptions(rest);
    if (odd) unclear.add(`${program} is started with options that are not known here`);
    if (script !== null) {
      if (script.exact) line(script.text, depth + 1);
      else unclear.add(`what ${program} -c runs is only known when it runs`);
      return;
    }
    // A file that is another name for its input.
    const fromInput = rest.some(({ text }) => /^\/(?:dev|proc)\//.test(text));
    if (fed || fromInput || file === null || wantsScript) unclear.add(`${program} runs what it reads`);
  }

  function git(texts: readonly string[], subcommand: string | undefined, operands: readonly string[]): void {
    for (const fault of gitRuns(texts, subcommand, operands)) unclear.add(fault);
    const host = hostOfRepository(subcommand, operands);
    if (host !== null) hosts.add(host);
  }

  function folderOption(target: ShellWord | undefined): void {
    if (target !== undefined && target.exact) goTo(target.text);
  }

  function findActions(rest: readonly ShellWord[], depth: number): void {
    for (const [index, { text }] of rest.entries()) {
      if (/^-(exec|execdir|ok|okdir)$/.test(text)) {
        const end = rest.findIndex((one, at) => at > index && (one.text === ";" || one.text === "+"));
        run(rest.slice(index + 1, end === -1 ? undefined : end), depth + 1, false);
      }
      if (/^-(delete|fprint|fprintf|fls|fprint0)$/.test(text)) commands.add(`find ${text}`);
    }
  }

  function wrapped(program: string, rest: readonly ShellWord[], depth: number, fed: boolean): void {
    const known = wrappers.get(program);
    if (known === undefined) return runner(program, rest, depth, fed);
    let { operands } = known;
    for (let at = 0; at < rest.length; at += 1) {
      const text = rest[at]?.text ?? "";
      if (program === "env" && /^[A-Za-z_][A-Za-z0-9_]*=/.test(text)) continue;
      if (program === "sudo" && /^[A-Za-z_][A-Za-z0-9_]*=/.test(text)) {
        unclear.add("sudo is given variables");
        continue;
      }
      // `command -v git` only asks.
      if (program === "command" && /^-[vV]$/.test(text)) return;
      // A dash alone is an option of env's.
      if (text === "--" || (program === "env" && text === "-")) continue;
      if (text.startsWith("--")) {
        const [name = "", value] = text.slice(2).split("=", 2);
        if (known.longValues.includes(name)) at += value === undefined ? 1 : 0;
        else if (!known.longFlags.includes(name)) return void unclear.add(`${program} ${text} is not known here`);
        continue;
      }
      if (text.startsWith("-") && text.length > 1) {
        const letters = /^-\d/.test(text) ? "" : text.slice(1);
        const valued = letters.split("").findIndex((letter) => known.values.includes(letter));
        const flags = valued === -1 ? letters : letters.slice(0, valued);
        if (flags.split("").some((letter) => !known.flags.includes(letter)))
          return void unclear.add(`${program} ${text} is not known here`);
        if (valued === letters.length - 1 && valued !== -1) at += 1;
        continue;
      }
      if (operands > 0) {
        operands -= 1;
        continue;
      }
      // Words that xargs adds are read from its input.
      if (program === "xargs") unclear.add("xargs adds words that are only known when it runs");
      return run(rest.slice(at), depth + 1, fed);
    }
  }

  /** A program of a project, started by the program that manages it. */
  function runner(program: string, rest: readonly ShellWord[], depth: number, fed: boolean): void {
    const runs = subcommandsThatRun.get(program);
    const at = rest.findIndex(({ text }) => !text.startsWith("-"));
    if (runs === undefined || !runs.test(rest[at]?.text ?? "")) return;
    const [next, ...others] = rest.slice(at + 1).filter(({ text }) => !/^(?:--|-y|--yes|-q|--quiet|-s|--silent)$/.test(text));
    if (next === undefined || next.text.startsWith("-") || program === "ip") unclear.add(`what ${program} runs is not known here`);
    else run([next, ...others], depth + 1, fed);
  }

  line(source, 0);
  tooMany ||= places.size > mostPlaces;
  if (tooMany) unclear.add("it names more places than can be looked at");
  if (count > 1 && (programs.has("ln") || programs.has("mount"))) unclear.add("where its links lead is only known once they are there");
  return {
    programs: [...programs],
    commands: [...commands],
    hosts: [...hosts],
    writesFiles,
    places: [...places.values()],
    folders: [...folders],
    tooMany,
    unclear: [...unclear],
  };
}

/** A program of the system by its name; any other by its path, or `./git` would pass for git. */
function programName(given: string): string {
  const text = given.startsWith("/") ? posix.normalize(given).replace(/^\/+/, "/") : given;
  return /^\/(usr\/(local\/)?)?s?bin\/([^/]+)$/.exec(text)?.[3] ?? /^\/opt\/homebrew\/bin\/([^/]+)$/.exec(text)?.[1] ?? text;
}

/** The words of a git command line from the subcommand on. */
function gitOperands(rest: readonly ShellWord[]): ShellWord[] {
  let at = 0;
  while (at < rest.length && (rest[at]?.text.startsWith("-") ?? false)) {
    at += /^(-C|-c|--git-dir|--work-tree|--namespace|--exec-path|--config-env)$/.test(rest[at]?.text ?? "") ? 2 : 1;
  }
  return rest.slice(at).filter(({ text }) => !text.startsWith("-"));
}

function operandsAfter(rest: readonly ShellWord[], subcommand: ShellWord | undefined): string[] {
  if (subcommand === undefined) return [];
  return rest.slice(rest.indexOf(subcommand) + 1).flatMap(({ text }) => (text.startsWith("-") ? [] : [text]));
}
