import { leaseViewSchema, revokeLeasesSchema, RemitError, secretViewSchema } from "@remit/contract";
import type { RevokeLeases, SecretView } from "@remit/contract";
import type { Command } from "commander";
import { z } from "zod";
import { query } from "../client/http-client.ts";
import { pageSchema, sayMore, withPages } from "../client/page.ts";
import type { PageOptions } from "../client/page.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Frame } from "../frame/frame.ts";
import { safeLine } from "../terminal/safe-text.ts";
import { table } from "../terminal/table.ts";
import { ago } from "../terminal/time.ts";
import { readValue } from "./read-value.ts";

const scopeHelp = "everything, run:x, agent:x, upstream:x, credential:x or prefix:path";

export function defineSecret(command: Command, run: Run): void {
  command.description("what upstreams are shown in place of agents; a value goes in and never comes out");
  command
    .command("set <path>")
    .argument("[value...]", "is not taken: every program can read a command line")
    .description("keep a secret; its value comes from stdin, from --file, or is typed unseen")
    .option("--file <file>", "read the value from a file")
    .action((path: string, words: string[], options: { file?: string }) =>
      run((frame) => {
        refuseWords(words);
        return set(frame, path, options.file);
      }),
    );
  command
    .command("rotate <path>")
    .argument("[value...]", "is not taken: every program can read a command line")
    .description("give a secret a new version; the old one goes on for the overlap")
    .option("--file <file>", "read the value from a file")
    .option("--overlap <duration>", "how long the old one is kept, ISO 8601", "PT1H")
    .action((path: string, words: string[], options: { file?: string; overlap: string }) =>
      run((frame) => {
        refuseWords(words);
        return rotate(frame, path, options);
      }),
    );
  withPages(command.command("list").description("which there are, never what they are")).action((options: PageOptions) =>
    run((frame) => list(frame, options)),
  );
  command
    .command("rm <path>")
    .description("destroy a secret, and end what rests on it")
    .option("--force", "also while the registry names it", false)
    .action((path: string, options: { force: boolean }) => run((frame) => remove(frame, path, options.force)));
  withPages(command.command("leases").description("who may use which credential now"))
    .option("--all", "ended ones as well", false)
    .action((options: PageOptions & { all: boolean }) => run((frame) => leases(frame, options)));
  command
    .command("revoke <scope>")
    .description(`end leases now: ${scopeHelp}`)
    .requiredOption("--reason <text>", "why")
    .action((scope: string, options: { reason: string }) => run((frame) => revoke(frame, scope, options.reason)));
  example(
    command,
    "remit secret set crm/token < token.txt",
    "remit secret rotate crm/token --file new.txt",
    "remit secret revoke agent:support-triage --reason leak",
  );
}

/** Says so without repeating it: whoever typed it has put it into the history of a shell. */
function refuseWords(words: readonly string[]): void {
  if (words.length === 0) return;
  throw new RemitError(
    "invalid-request",
    "A value is never taken from the command line, which every program on this machine can read and your shell keeps: " +
      "pipe it in, or use --file. Change what you have just typed where it comes from.",
  );
}

async function set(frame: Frame, path: string, file: string | undefined): Promise<void> {
  const client = await frame.client();
  const value = await readValue(frame, file);
  const kept = await client.send({ method: "POST", path: "/v1/secrets", body: { path, value }, response: secretViewSchema });
  frame.terminal.answer(kept, () => [`Kept ${kept.path}, version ${kept.version}.`]);
  if (kept.usedBy.length === 0) frame.terminal.say(`next: name it in a credential: from: { type: secret, secret: ${kept.path} }`);
}

async function rotate(frame: Frame, path: string, options: { file?: string; overlap: string }): Promise<void> {
  const client = await frame.client();
  const value = await readValue(frame, options.file);
  const body = { path, value, overlap: options.overlap };
  const kept = await client.send({ method: "POST", path: "/v1/secrets/rotate", body, response: secretViewSchema });
  const until = kept.versions.find(({ version }) => version === kept.version - 1)?.destroyAt ?? null;
  frame.terminal.answer(kept, () => [
    `${kept.path} is version ${kept.version} from now on${until === null ? "" : `; the one before is destroyed at ${until}`}.`,
  ]);
}

async function list(frame: Frame, options: PageOptions): Promise<void> {
  const client = await frame.client();
  const page = await client.send({ path: `/v1/secrets${query(options)}`, response: pageSchema(secretViewSchema) });
  const now = Date.now();
  frame.terminal.answer(page, () =>
    page.items.length === 0
      ? ["No secret is kept."]
      : table<SecretView>(
          page.items,
          [
            { title: "SECRET", value: (row) => row.path },
            { title: "VERSION", value: (row) => String(row.version) },
            { title: "SINCE", value: (row) => ago(row.versions[0]?.createdAt ?? "", now) },
            { title: "BY", value: (row) => row.versions[0]?.createdBy ?? "", cut: true },
            { title: "USED BY", value: (row) => row.usedBy.join(", ") || "nothing", cut: true },
          ],
          frame.terminal.columns,
        ),
  );
  sayMore(frame, page.next);
}

async function remove(frame: Frame, path: string, force: boolean): Promise<number> {
  const client = await frame.client();
  if (!(await frame.confirm(`Destroy ${safeLine(path)} for good?`))) {
    frame.terminal.warn("Nothing was destroyed.");
    return 1;
  }
  await client.send({ method: "POST", path: "/v1/secrets/remove", body: { path, force }, response: z.unknown() });
  frame.terminal.answer({ path, removed: true }, () => [`Destroyed ${safeLine(path)}.`]);
  return 0;
}

async function leases(frame: Frame, { all, ...options }: PageOptions & { all: boolean }): Promise<void> {
  const client = await frame.client();
  const page = await client.send({ path: `/v1/leases${query({ ...options, live: String(!all) })}`, response: pageSchema(leaseViewSchema) });
  const now = Date.now();
  frame.terminal.answer(page, () =>
    page.items.length === 0
      ? ["Nobody may use any credential now."]
      : table(
          page.items,
          [
            { title: "LEASE", value: (row) => row.id },
            { title: "CREDENTIAL", value: (row) => row.credential },
            { title: "UPSTREAM", value: (row) => row.upstream },
            { title: "AGENT", value: (row) => row.agent ?? "(connection)" },
            { title: "SINCE", value: (row) => ago(row.issuedAt, now) },
            { title: "ENDED", value: (row) => row.endedReason ?? "", cut: true },
          ],
          frame.terminal.columns,
        ),
  );
  sayMore(frame, page.next);
}

async function revoke(frame: Frame, text: string, reason: string): Promise<void> {
  const client = await frame.client();
  const body = { scope: parseLeaseScope(text), reason };
  const ended = await client.send({ method: "POST", path: "/v1/leases/revoke", body, response: z.object({ leases: z.int() }) });
  frame.terminal.answer(ended, () => [`Ended ${ended.leases} ${ended.leases === 1 ? "lease" : "leases"} of ${safeLine(text)}.`]);
}

function parseLeaseScope(text: string): RevokeLeases["scope"] {
  const separator = text.indexOf(":");
  const [type, name] = separator === -1 ? [text, undefined] : [text.slice(0, separator), text.slice(separator + 1)];
  const scope = revokeLeasesSchema.shape.scope.safeParse(name === undefined ? { type } : { type, name });
  if (scope.success) return scope.data;
  throw new RemitError("invalid-request", `"${text}" is no scope of leases: expected ${scopeHelp}.`);
}
