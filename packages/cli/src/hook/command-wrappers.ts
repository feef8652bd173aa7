/**
 * Programs that run the command that follows them. `values`: their options that take the next word; `operands`: how many words of
 * their own come before the command. An option that is in neither list makes the command line unclear.
 */
export type Wrapper = { flags: string; values: string; longValues: readonly string[]; longFlags: readonly string[]; operands: number };

const wrapper = (given: Partial<Wrapper>): Wrapper => ({ flags: "", values: "", longValues: [], longFlags: [], operands: 0, ...given });

export const wrappers: ReadonlyMap<string, Wrapper> = new Map([
  [
    "sudo",
    wrapper({
      flags: "AbEHKknPS",
      values: "CDghpRrTtUu",
      longValues: ["user", "group", "chdir", "host", "prompt"],
      longFlags: ["preserve-env", "non-interactive"],
    }),
  ],
  ["doas", wrapper({ flags: "Ln", values: "Cu" })],
  ["env", wrapper({ flags: "i0v", values: "uC", longValues: ["unset", "chdir"], longFlags: ["ignore-environment"] })],
  ["nice", wrapper({ values: "n", longValues: ["adjustment"] })],
  ["ionice", wrapper({ flags: "t", values: "cnpPu", longValues: ["class", "classdata"] })],
  ["nohup", wrapper({})],
  [
    "timeout",
    wrapper({
      flags: "fvp",
      values: "ks",
      longValues: ["signal", "kill-after"],
      longFlags: ["foreground", "preserve-status"],
      operands: 1,
    }),
  ],
  ["time", wrapper({ flags: "pv" })],
  ["stdbuf", wrapper({ values: "ioe", longValues: ["input", "output", "error"] })],
  ["setsid", wrapper({ flags: "cfw", longFlags: ["ctty", "fork", "wait"] })],
  ["command", wrapper({ flags: "p" })],
  ["builtin", wrapper({})],
  ["exec", wrapper({ flags: "cl", values: "a" })],
  ["strace", wrapper({ flags: "fqtTvyC", values: "eopsaE" })],
  [
    "flock",
    wrapper({
      flags: "exsnuFo",
      values: "wE",
      longValues: ["timeout", "wait"],
      longFlags: ["nonblock", "exclusive", "shared"],
      operands: 1,
    }),
  ],
  [
    "xargs",
    wrapper({
      flags: "0oprtx",
      values: "aEIdLnPsi",
      longValues: ["max-args", "max-procs", "max-lines", "delimiter", "arg-file", "replace"],
      longFlags: ["null", "no-run-if-empty", "verbose", "interactive", "exit"],
    }),
  ],
]);

/** Their `-c` is a command line in the same language. */
export const shells: ReadonlySet<string> = new Set(["sh", "bash", "dash", "ash", "ksh", "rbash"]);
/** Shells of another language, which is not read here. */
export const otherShells: ReadonlySet<string> = new Set([
  "zsh",
  "fish",
  "csh",
  "tcsh",
  "nu",
  "pwsh",
  "powershell",
  "cmd",
  "cmd.exe",
  "xonsh",
]);

/** Programs that run code of another language, by the options that carry it. */
export const interpreters: ReadonlyMap<string, RegExp> = new Map(
  Object.entries({
    python: /^-[a-zA-Z]*c|^-$/,
    node: /^-[a-z]*[ep]|^--eval|^--print|^-$|^-r$|^--require|^--import/,
    deno: /^eval$|^-$/,
    bun: /^-[ep]|^--eval|^--print|^-$/,
    perl: /^-[a-zA-Z0-9]*[eEM]|^-$/,
    ruby: /^-[a-zA-Z]*e|^-$/,
    php: /^-[rRBE]/,
    lua: /^-e|^-$/,
    osascript: /^-e/,
    Rscript: /^-e/,
    awk: /system|getline|\||>/,
    gawk: /system|getline|\||>/,
    mawk: /system|getline|\||>/,
    vim: /^[-+]/,
    vi: /^[-+]/,
    ex: /^[-+]/,
    ed: /./,
    make: /^(SHELL|MAKEFLAGS)=|^--eval|^-E$/,
    gdb: /./,
    busybox: /./,
    parallel: /./,
    watch: /./,
    at: /./,
    batch: /./,
    crontab: /./,
    tmux: /./,
    screen: /./,
    script: /./,
    expect: /./,
    socat: /exec|system/i,
    nc: /^-[a-zA-Z]*[ec]/,
    su: /./,
    runuser: /./,
    chroot: /./,
    unshare: /./,
    nsenter: /./,
  }),
);

/** Builtins after which the words of the line no longer mean what they say. */
export const redefining: ReadonlySet<string> = new Set([
  "alias",
  "unalias",
  "enable",
  "hash",
  "source",
  ".",
  "bind",
  "complete",
  "mapfile",
  "readarray",
  "coproc",
  "fc",
  "compgen",
  "jobs",
]);

/** Variables that make programs run something else than they are asked to. */
export const steeringVariable =
  /^(PATH|IFS|ENV|BASH_ENV|SHELL|SHELLOPTS|BASHOPTS|PS4|PROMPT_COMMAND|CDPATH|HOME|PWD|EDITOR|VISUAL|PAGER|LD_.*|DYLD_.*|GIT_.*|NODE_OPTIONS|NODE_PATH|PYTHON.*|PERL5.*|RUBY.*|NPM_CONFIG_.*|npm_config_.*|MAKEFLAGS|JAVA_TOOL_OPTIONS|LESSOPEN|LESSCLOSE)$/;

/** Programs that only say what they are given: an argument that is known when they run moves nothing. */
export const sayers: ReadonlySet<string> = new Set([
  "echo",
  "printf",
  "true",
  "false",
  ":",
  "test",
  "[",
  "exit",
  "return",
  "sleep",
  "shift",
]);
