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
  "mksh",
  "yash",
  "osh",
  "elvish",
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

/** Programs whose words are a program and its words, behind options that are not told here. */
export const launchers: ReadonlySet<string> = new Set([
  "chrt",
  "taskset",
  "unbuffer",
  "setarch",
  "linux32",
  "linux64",
  "i386",
  "x86_64",
  "uname26",
  "prlimit",
  "systemd-run",
  "systemd-inhibit",
  "run0",
  "faketime",
  "firejail",
  "bwrap",
  "pkexec",
  "xvfb-run",
  "ltrace",
  "valgrind",
  "perf",
  "fakeroot",
  "fakechroot",
  "proot",
  "entr",
  "ifne",
  "chronic",
  "watchexec",
  "nodemon",
  "start-stop-daemon",
  "daemonize",
  "numactl",
  "cgexec",
  "capsh",
  "setpriv",
  "ssh-agent",
  "gosu",
  "su-exec",
  "tini",
  "dumb-init",
  "torsocks",
  "torify",
  "proxychains",
  "proxychains4",
  "rlwrap",
  "dbus-run-session",
  "dbus-launch",
  "eatmydata",
  "caffeinate",
  "sg",
  "newgrp",
  "runcon",
  "gtimeout",
  "gnice",
  "gstdbuf",
  "genv",
  "gxargs",
]);

/** Subcommands after which a program and its words stand: `uv run pytest`. */
export const subcommandsThatRun: ReadonlyMap<string, RegExp> = new Map(
  Object.entries({
    npm: /^(?:exec|x)$/,
    pnpm: /^(?:exec|dlx)$/,
    yarn: /^(?:exec|dlx)$/,
    bun: /^x$/,
    uv: /^run$/,
    poetry: /^run$/,
    pipenv: /^run$/,
    pdm: /^run$/,
    hatch: /^run$/,
    bundle: /^exec$/,
    pipx: /^run$/,
    conda: /^run$/,
    mise: /^(?:exec|x)$/,
    ip: /^netns$/,
  }),
);

/** In awk: programs and files, and functions by names that are only put together when it runs. */
const awkRuns = /system|getline|[|>@]|^-[Eil]|^--(?:exec|include|load)/;

/** Programs that run code of another language, by the options that carry it. */
export const interpreters: ReadonlyMap<string, RegExp> = new Map(
  Object.entries({
    python: /^-[a-zA-Z]*c|^-$|^(?:-m)?(?:timeit|pdb|code)$/,
    node: /^-[a-z]*[ep]|^--eval|^--print|^-$|^-r$|^--require|^--import/,
    deno: /^eval$|^-$/,
    bun: /^-[ep]|^--eval|^--print|^-$/,
    perl: /^-[a-zA-Z0-9]*[eEM]|^-$/,
    ruby: /^-[a-zA-Z]*e|^-$/,
    php: /^-[rRBE]/,
    lua: /^-e|^-$/,
    osascript: /^-e/,
    Rscript: /^-e/,
    awk: awkRuns,
    gawk: awkRuns,
    mawk: awkRuns,
    nawk: awkRuns,
    "original-awk": awkRuns,
    nvim: /^[-+]/,
    view: /^[-+]/,
    emacs: /^-/,
    lldb: /./,
    dc: /./,
    gnuplot: /^-e/,
    julia: /^-[eEL]|^--eval|^--print/,
    elixir: /^-e|^--eval/,
    erl: /./,
    guile: /^-[cel]/,
    racket: /^-/,
    groovy: /^-e/,
    octave: /^--eval/,
    psql: /\\|PROGRAM|^-[a-zA-Z]*f|^--file/i,
    mysql: /\\!|system|source|^--init/i,
    mariadb: /\\!|system|source|^--init/i,
    sqlite3: /^\.|\n\.|^-(?:cmd|init)|edit\(|load_extension|writefile/i,
    patch: /./,
    apply_patch: /./,
    cpio: /./,
    toybox: /./,
    ncat: /^-[a-zA-Z]*[ec]|exec/,
    netcat: /^-[a-zA-Z]*[ec]/,
    vim: /^[-+]/,
    vi: /^[-+]/,
    ex: /^[-+]/,
    ed: /./,
    make: /^(SHELL|MAKEFLAGS)=|^--eval|^-E$|[$`]|!=|^-(?:f-)?$/,
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
  "shopt",
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
