import { meSchema, RemitError, startedSessionSchema } from "@remit/contract";
import type { Command } from "commander";
import { z } from "zod";
import { createHttpClient } from "../client/http-client.ts";
import { changeContexts, readContexts } from "../context/context-store.ts";
import type { Context } from "../context/context-store.ts";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import type { Surroundings } from "../terminal/terminal.ts";
import { until } from "../terminal/time.ts";

export function defineLogin(command: Command, run: Run): void {
  command
    .argument("<link>", "the one-time link")
    .description("use a one-time link; the session is kept for this context")
    .action((link: string) =>
      run(async (frame) => {
        const context = await logIn(frame.around, frame.contextName, link);
        frame.terminal.answer({ context: frame.contextName, party: context.party, url: context.url, expiresAt: context.expiresAt }, () => [
          `You are ${context.party} at ${context.url} (context "${frame.contextName}"), until ${context.expiresAt}.`,
        ]);
        frame.terminal.say(`next: ${frame.hint("approvals list")}`);
      }),
    );
  example(command, "remit login http://127.0.0.1:7447/login/…", "remit login http://127.0.0.1:7447/login/… --context mara");
}

/** Trades a one-time link for a session and keeps it. */
export async function logIn(around: Pick<Surroundings, "env" | "cwd">, contextName: string, link: string): Promise<Context> {
  const url = originOf(link);
  // Reading first: a link is used up by its first use, so a store that cannot be written to must show before.
  await readContexts(around);
  const session = await createHttpClient(url, { type: "none" }).send({
    method: "POST",
    path: "/v1/sessions",
    body: { link },
    response: startedSessionSchema,
  });
  const context = { url, token: session.token, party: session.person.party, expiresAt: session.expiresAt };
  await changeContexts(around, (contexts) => ({ ...contexts, [contextName]: context }));
  return context;
}

export function defineLogout(command: Command, run: Run): void {
  command.description("end the session of this context").action(() =>
    run(async (frame) => {
      const context = (await readContexts(frame.around))[frame.contextName];
      if (context === undefined) throw new RemitError("not-found", `There is no context "${frame.contextName}" here.`);
      try {
        const client = createHttpClient(context.url, { type: "session", token: context.token });
        await client.send({ method: "DELETE", path: "/v1/sessions/current", response: z.unknown() });
      } catch (error) {
        // Forgetting the token here must work even when the server has gone.
        const reason = error instanceof Error ? error.message : String(error);
        frame.terminal.warn(`The server could not be told (${reason}); the token is forgotten here and ends there by itself.`);
      }
      await changeContexts(frame.around, ({ [frame.contextName]: _ended, ...others }) => others);
      frame.terminal.answer({ context: frame.contextName }, () => [`Logged out (context "${frame.contextName}").`]);
    }),
  );
  example(command, "remit logout --context mara");
}

export function defineWhoami(command: Command, run: Run): void {
  command.description("who you are to the server, and which contexts there are").action(() =>
    run(async (frame) => {
      const client = await frame.client();
      const me = await client.send({ path: "/v1/me", response: meSchema.omit({ csrf: true }) });
      const contexts = await readContexts(frame.around);
      const names = Object.entries(contexts).map(([name, context]) => ({
        name,
        party: context.party,
        url: context.url,
        expiresAt: context.expiresAt,
      }));
      frame.terminal.answer({ ...me, url: client.url, context: frame.contextName, contexts: names }, () => [
        `${me.party} at ${client.url}${me.roles.length === 0 ? "" : `, ${me.roles.join(", ")}`}`,
        ...names.map(
          (one) =>
            `  ${one.name === frame.contextName ? "*" : " "} ${one.name}: ${one.party} at ${one.url}, ends ${until(one.expiresAt, Date.now())}`,
        ),
      ]);
    }),
  );
  example(command, "remit whoami", "remit whoami --context mara --json");
}

function originOf(link: string): string {
  try {
    const { protocol, origin } = new URL(link);
    if (protocol === "http:" || protocol === "https:") return origin;
  } catch {
    // Said below.
  }
  throw new RemitError("invalid-request", "That is no link: expected http://…/login/…, as remit link prints it.");
}
