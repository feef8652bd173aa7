import { resolve } from "node:path";
import { RemitError } from "@remit/contract";
import { addLog, describeWitness, initWitness, openWitness, removeLog, serveWitness } from "@remit/server/witness";
import type { WitnessSettings } from "@remit/server/witness";
import type { Command } from "commander";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { asked } from "../up/serve.ts";
import { witnessWords } from "./witness-words.ts";

type InitOptions = { name: string; log: string[]; postQuantum?: true };
type ServeOptions = { host: string; port: string };

/** For another organisation than the one whose ledger it is: a witness that a ledger runs for itself proves nothing. */
export function defineWitness(command: Command, run: Run): void {
  const collect = (value: string, before: string[]): string[] => [...before, value];

  const init = command
    .command("init <folder>")
    .description("make the folder of a new witness, with a new key")
    .requiredOption("--name <name>", "what it signs as, by convention an address without https://, such as witness.example.org/1")
    .option("--log <key>", "verifier key of a ledger to watch; may be given again", collect, [])
    .option("--post-quantum", "cosign with ML-DSA-44 as well")
    .action((folder: string, options: InitOptions) => run((frame) => makeWitness(frame, folder, options)));
  example(init, "remit witness init ./witness --name witness.example.org/1 --log ledger.acme.example+1f2e3d4c+AekyeR…");

  const key = command
    .command("key <folder>")
    .description("the verifier keys of a witness, and the lines that the ledger's operator puts into the policy")
    .action((folder: string) => run(async (frame) => tell(frame, await openWitness(resolve(frame.around.cwd, folder)))));
  example(key, "remit witness key ./witness");

  const watch = command
    .command("watch <folder> <key>")
    .description("watch one more ledger, or the next key of one; serve it again afterwards")
    .action((folder: string, vkey: string) => run(async (frame) => tell(frame, await addLog(resolve(frame.around.cwd, folder), vkey))));
  example(watch, "remit witness watch ./witness ledger.acme.example+1f2e3d4c+AekyeR…");

  const unwatch = command
    .command("unwatch <folder> <key>")
    .description("take no more checkpoints with a key that the ledger has retired; serve it again afterwards")
    .action((folder: string, vkey: string) => run(async (frame) => tell(frame, await removeLog(resolve(frame.around.cwd, folder), vkey))));
  example(unwatch, "remit witness unwatch ./witness ledger.acme.example+1f2e3d4c+AekyeR…");

  const serve = command
    .command("serve <folder>")
    .description("serve it until Ctrl-C (C2SP tlog-witness); put TLS in front of it")
    .option("--host <address>", "listen on", "127.0.0.1")
    .option("--port <port>", "listen on; 0 takes a free one", "7448")
    .action((folder: string, options: ServeOptions) => run((frame) => serveFolder(frame, folder, options)));
  example(serve, "remit witness serve ./witness --host 0.0.0.0");
}

async function makeWitness(frame: Frame, folder: string, options: InitOptions): Promise<void> {
  const postQuantum = options.postQuantum === true;
  tell(frame, await initWitness(resolve(frame.around.cwd, folder), { name: options.name, postQuantum, logs: options.log }));
}

function tell(frame: Frame, settings: WitnessSettings): void {
  const view = describeWitness(settings);
  frame.terminal.answer(view, () => witnessWords(view));
}

async function serveFolder(frame: Frame, folder: string, options: ServeOptions): Promise<void> {
  const { around, terminal } = frame;
  const port = /^\d+$/.test(options.port) ? Number(options.port) : Number.NaN;
  if (!(port >= 0 && port <= 65_535)) throw new RemitError("invalid-request", "--port is a number from 0 to 65535.");
  const interruption = around.interruption();
  const settings = await openWitness(resolve(around.cwd, folder));
  const server = await serveWitness(settings, { host: options.host, port, onProblem: (what) => terminal.say(what) });
  try {
    const origins = [...new Set(settings.logs.map(({ name }) => name))];
    terminal.answer({ type: "ready", url: server.url, name: settings.name, watches: origins }, () => [
      `Witness ${settings.name} listens on ${server.url}`,
      ...(origins.length === 0
        ? ["It watches no ledger yet: remit witness watch <folder> <key>"]
        : origins.map((origin) => `watches ${origin}`)),
    ]);
    await asked(interruption.asked);
  } finally {
    await Promise.race([server.stop(), asked(interruption.insisted)]);
  }
}
