import { RemitError } from "@remit/contract";
import type { Command } from "commander";
import { example } from "./command.ts";
import type { Run } from "./command.ts";

const shells = ["bash", "zsh", "fish"] as const;

/** Completions of commands, subcommands and options, printed for a shell to read. */
export function defineCompletion(command: Command, run: Run): void {
  command
    .argument("<shell>", shells.join(", "))
    .description("print completions for your shell")
    .action((shell: string) =>
      run((frame) => {
        const program = command.parent;
        const known = shells.find((one) => one === shell);
        if (known === undefined || program === null) throw new RemitError("invalid-request", `Completions exist for ${shells.join(", ")}.`);
        const words = wordsByPath(program);
        frame.terminal.line(
          known === "fish" ? fish(words) : known === "zsh" ? `autoload -U +X bashcompinit && bashcompinit\n${bash(words)}` : bash(words),
        );
        return Promise.resolve();
      }),
    );
  example(command, "source <(remit completion bash)", "remit completion fish > ~/.config/fish/completions/remit.fish");
}

/** What may follow each sequence of commands: `""` for the program itself, `approvals`, `approvals list`. */
function wordsByPath(program: Command): Map<string, string[]> {
  const words = new Map<string, string[]>();
  const visit = (command: Command, path: string) => {
    const options = [...command.options, ...(command === program ? [] : program.options)].flatMap((option) => option.long ?? []);
    words.set(path, [...command.commands.map((one) => one.name()), ...options]);
    for (const one of command.commands) visit(one, path === "" ? one.name() : `${path} ${one.name()}`);
  };
  visit(program, "");
  return words;
}

function bash(words: ReadonlyMap<string, readonly string[]>): string {
  const cases = [...words].map(([path, next]) => `    "${path}") next="${next.join(" ")}" ;;`);
  return `_remit() {
  local path="" word next=""
  [ "\${COMP_WORDS[0]##*/}" = agent-run ] && path=run
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  while :; do
    case "$path" in
${cases.map((line) => `  ${line}`).join("\n")}
    esac
    [ -n "$next" ] || [ -z "$path" ] && break
    case "$path" in *" "*) path="\${path% *}" ;; *) path="" ;; esac
  done
  COMPREPLY=($(compgen -W "$next" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _remit remit agent-run`;
}

function fish(words: ReadonlyMap<string, readonly string[]>): string {
  return [...words]
    .flatMap(([path, next]) => {
      const seen =
        path === ""
          ? "__fish_use_subcommand"
          : path
              .split(" ")
              .map((word) => `__fish_seen_subcommand_from ${word}`)
              .join("; and ");
      return next.map((word) =>
        word.startsWith("--") ? `complete -c remit -n '${seen}' -l ${word.slice(2)}` : `complete -c remit -f -n '${seen}' -a ${word}`,
      );
    })
    .join("\n");
}
