import { Command, CommanderError } from "commander";
import type { Surroundings } from "../terminal/terminal.ts";
import type { Run } from "./command.ts";
import { commands } from "./commands.ts";
import type { Settings } from "./frame.ts";

// Everything else is loaded when it is needed: `remit --help` needs neither the contract nor a client.

/** Runs one command line (without node and file) and returns its exit code. Never throws. */
export async function runCommandLine(argv: readonly string[], around: Surroundings): Promise<number> {
  let exit = 0;
  const program = createProgram(around);
  const run: Run = async (work) => {
    const { createFrame } = await import("./frame.ts");
    const { createTerminal } = await import("../terminal/terminal.ts");
    const settings = program.opts<Settings>();
    exit = (await work(createFrame(around, createTerminal(around, settings), settings))) ?? 0;
  };
  try {
    await loadCalled(program, argv, run);
    await program.parseAsync([...argv], { from: "user" });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const { tellFailure } = await import("./tell-failure.ts");
    return tellFailure(error instanceof CommanderError ? usageMessage(error) : error, around, beforeSeparator(argv).includes("--json"));
  }
}

function createProgram(around: Surroundings): Command {
  const program = new Command("remit")
    .description("The control plane for AI agents.")
    .option("--json", "print data (and errors) as JSON; never asks", false)
    .option("-q, --quiet", "print no messages, only data and errors", false)
    .option("-y, --yes", "answer yes to what would be asked", false)
    .option("--context <name>", 'the session to use (default: REMIT_CONTEXT, else "default")')
    .option("--url <url>", "the server (default: REMIT_URL, else the context's, else the one started here)")
    .version("0.1.0", "--version", "print the version")
    .helpCommand("help [command]", "show the help of a command")
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => around.stdout.write(text),
      writeErr: (text) => around.stderr.write(text),
      // Said once, by runCommandLine, in the same form as every other failure.
      outputError: () => undefined,
      getOutHelpWidth: () => around.stdout.columns ?? 100,
      getErrHelpWidth: () => around.stderr.columns ?? 100,
    })
    .addHelpText("after", "\nExit codes: 0 ok, 1 failed, 2 usage, 3 try again, 4 denied, 5 waits for approval, 6 halted.");
  for (const entry of commands) program.command(entry.name).description(entry.summary);
  return program;
}

/** Fills in the command that is called, and no other. */
async function loadCalled(program: Command, argv: readonly string[], run: Run): Promise<void> {
  const called = words(argv).find((word) => word !== "help");
  const wanted = called === "completion" ? commands : commands.filter((entry) => entry.name === called);
  for (const entry of wanted) {
    const stub = program.commands.find((command) => command.name() === entry.name);
    if (stub !== undefined) (await entry.load())(stub, run);
  }
}

/** The words of a command line that are neither options nor the values of the program's own options. */
function words(argv: readonly string[]): string[] {
  const own = beforeSeparator(argv);
  return own.filter((word, index) => !word.startsWith("-") && !["--context", "--url"].includes(own[index - 1] ?? ""));
}

function beforeSeparator(argv: readonly string[]): readonly string[] {
  const separator = argv.indexOf("--");
  return separator === -1 ? argv : argv.slice(0, separator);
}

function usageMessage(error: CommanderError): string {
  // commander prints the help itself when a subcommand is missing, and then throws "(outputHelp)".
  if (error.code === "commander.help") return "Name one of the commands above.";
  return error.message.replace(/^error: /, "").replace(/\n\((Did you mean .*)\)$/, ". $1");
}
