/**
 * Options by which a program runs another one, or code. `long`: also shortened, as GNU's and git's are taken; `short`: letters, also
 * behind others (`-qx`).
 */
export type RunningOptions = { long?: readonly string[]; short?: string; words?: RegExp };

const compiler: RunningOptions = { words: /^-(?:wrapper|B|fplugin|specs|fuse-ld|load|Xclang)|^@/ };
const packageRunner: RunningOptions = { long: ["call", "script-shell", "node-options", "userconfig"], short: "c" };
const searcher: RunningOptions = { long: ["exec", "exec-batch", "pre", "hostname-bin", "pager"], short: "xX" };
const remoteCopy: RunningOptions = { short: "SFD", words: /Include/i };
const archiver: RunningOptions = {
  long: [
    "checkpoint-action",
    "to-command",
    "use-compress-program",
    "rsh-command",
    "rmt-command",
    "info-script",
    "new-volume-script",
    "unzip-command",
    "filter",
  ],
  short: "IF",
};

const programs: ReadonlyMap<string, RunningOptions> = new Map(
  Object.entries({
    tar: archiver,
    gtar: archiver,
    bsdtar: archiver,
    zip: { long: ["unzip-command"], words: /^-[a-zA-Z]*TT/ },
    rsync: { long: ["rsync-path"] },
    scp: remoteCopy,
    sftp: remoteCopy,
    ssh: { short: "FI", words: /Include/i },
    sort: { long: ["compress-program"] },
    man: { long: ["pager", "html", "preprocessor"], short: "PH" },
    split: { long: ["filter"] },
    install: { long: ["strip-program"] },
    strace: { words: /^(?:-[a-zA-Z]*o|--output=)?[|!]/ },
    less: { words: /^\+/, short: "kK", long: ["lesskey-file", "lesskey-src", "cmd"] },
    more: { words: /^\+/ },
    gcc: compiler,
    "g++": compiler,
    cc: compiler,
    "c++": compiler,
    clang: compiler,
    "clang++": compiler,
    go: { words: /^--?(?:toolexec|vettool|exec)\b/ },
    cargo: { long: ["config"] },
    cmake: { words: /^-[EP]/ },
    npm: packageRunner,
    npx: packageRunner,
    pnpm: packageRunner,
    fd: searcher,
    fdfind: searcher,
    rg: { long: ["pre", "hostname-bin"] },
    bat: { long: ["pager"] },
    wget: { long: ["execute", "use-askpass", "config"], short: "e" },
    curl: { long: ["config", "resolve", "connect-to", "doh-url", "dns-servers"], short: "K" },
    gh: { words: /^(?:alias|extension)$/ },
    tcpdump: { short: "z" },
    "apt-get": { short: "oc", long: ["option", "config-file"] },
    apt: { short: "oc", long: ["option", "config-file"] },
  } satisfies Record<string, RunningOptions>),
);

/** Subcommands of git that take an option for a program, and its letters. */
const gitLetters: ReadonlyMap<string, string> = new Map([
  ["rebase", "x"],
  ["difftool", "x"],
  ["grep", "O"],
  ["clone", "uc"],
  ["fetch", "u"],
  ["pull", "u"],
  ["ls-remote", "u"],
]);
const gitLong = [
  "exec",
  "exec-path",
  "config-env",
  "upload-pack",
  "receive-pack",
  "ext-diff",
  "textconv",
  "extcmd",
  "open-files-in-pager",
  "template",
  "smtp-server",
  "sendmail-cmd",
  "config",
];
/** What a setting may be called that makes git run nothing. */
const plainSetting =
  /^(?:user\.(?:name|email|signingkey)|color\..*|init\.defaultbranch|pull\.(?:rebase|ff)|push\.(?:default|autosetupremote|followtags)|fetch\.prune|advice\..*|branch\..*\.(?:remote|merge|rebase)|rerere\..*|log\.(?:date|decorate)|i18n\..*|column\..*|status\..*|core\.(?:autocrlf|eol|ignorecase|filemode|quotepath|longpaths))$/i;

/** Why such a command line of git may run other programs. Empty: it runs none that it does not always run. */
export function gitRuns(words: readonly string[], subcommand: string | undefined, operands: readonly string[]): string[] {
  const runs = new Set<string>();
  const before = subcommand === undefined ? words : words.slice(0, words.indexOf(subcommand));
  if (before.includes("-c") || words.some((text) => (text !== "--text" && isLong(text, gitLong)) || text.startsWith("ext::")))
    runs.add(`git ${subcommand ?? ""} is given an option or an address that may run other programs`);
  const letters = gitLetters.get(subcommand ?? "");
  if (letters !== undefined && words.some((text) => isShort(text, letters))) runs.add(`git ${subcommand} may run other programs`);
  if (subcommand === "config" && !words.some((text) => /^(?:--get.*|--list|-l)$/.test(text)) && !/^(?:get|list)$/.test(operands[0] ?? "")) {
    const [key, value] = /^(?:set|unset|edit)$/.test(operands[0] ?? "") ? operands.slice(1) : operands;
    const changes = value !== undefined || words.some((text) => /^--(?:a|e|un|rep|rem|ren)|^-e$/.test(text));
    if (changes && !plainSetting.test(key ?? "")) runs.add("it changes what git runs later");
  }
  if (/^(?:bisect|filter-branch|filter-repo|send-email|instaweb|daemon|mergetool|remote-ext|credential.*)$/.test(subcommand ?? ""))
    runs.add(`git ${subcommand} runs other programs`);
  if (subcommand === "submodule" && operands.includes("foreach")) runs.add("git submodule runs other programs");
  if (subcommand === "apply" || subcommand === "am") runs.add(`which files git ${subcommand} changes stands in the patch`);
  return [...runs];
}

/** Whether a program is told, by an option, to run another one or code. */
export function isToldToRun(program: string, words: readonly string[]): boolean {
  if (words.some((text) => /ProxyCommand|LocalCommand|KnownHostsCommand|PKCS11Provider|SecurityKeyProvider/i.test(text))) return true;
  // What everybody uses it for.
  if (program === "rsync") {
    const shell = words.flatMap((text, index) => {
      if (/^-[a-zA-Z0-9]*e$/.test(text) || isLong(text, ["rsh"])) return [text.split("=")[1] ?? words[index + 1] ?? ""];
      return /^-[a-df-zA-Z0-9]*e./.test(text) ? [text.replace(/^-[^e]*e/, "")] : [];
    });
    if (shell.some((text) => !/^ssh(?: -(?:p ?\d+|[46Cqv]+))*$/.test(text))) return true;
  }
  const known = programs.get(program);
  if (known === undefined) return false;
  const { long = [], short = "", words: told } = known;
  // tar takes its letters without a dash as well.
  const [first = "", ...others] = words;
  const letters = /^(?:g|bsd)?tar$/.test(program) && !first.startsWith("-") ? [`-${first}`, ...others] : words;
  return letters.some((text) => isLong(text, long) || (short !== "" && isShort(text, short)) || told?.test(text) === true);
}

/** `--exec`, `--exec=x` and, for the programs that take it for the same, `--exe`. */
function isLong(text: string, names: readonly string[]): boolean {
  const given = /^--([a-z][a-z-]*)/.exec(text)?.[1];
  return given !== undefined && given.length > 1 && names.some((name) => name.startsWith(given));
}

function isShort(text: string, letters: string): boolean {
  return /^-[a-zA-Z]/.test(text) && letters.split("").some((letter) => text.includes(letter));
}
