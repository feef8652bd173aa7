import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { SMTPServer } from "smtp-server";
import type { SMTPServerDataStream } from "smtp-server";
import { openMailbox } from "./mailbox.ts";
import type { Mailbox } from "./mailbox.ts";
import { mailPage } from "./page.ts";

const loopback = "127.0.0.1";
const largestMail = 5_000_000;

export type MailSink = {
  /** Where to deliver. */
  smtpUrl: string;
  /** Where a person looks; `mails.json` below it is for programs. */
  pageUrl: string;
  mailbox: Mailbox;
  stop(): Promise<void>;
};

/** A mail server that takes every mail and sends none on. It listens on loopback alone, on free ports. */
export async function startMailSink(folder: string, ports: { smtp?: number; page?: number } = {}): Promise<MailSink> {
  const mailbox = await openMailbox(folder);
  const receive = async (stream: SMTPServerDataStream, done: (error?: Error | null) => void) => done(await take(mailbox, stream));
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ["AUTH", "STARTTLS"],
    disableReverseLookup: true,
    size: largestMail,
    onData: (stream, _session, done) => void receive(stream, done),
  });
  smtp.on("error", (error) => console.error(`mail: ${error.message}`));
  const page = createServer((request, response) => {
    respond(mailbox, folder, request, response).catch((error: unknown) => {
      console.error(`mail: ${String(error)}`);
      response.writeHead(500).end("The mail folder cannot be read.\n");
    });
  });
  smtp.listen(ports.smtp ?? 0, loopback);
  page.listen(ports.page ?? 0, loopback);
  await Promise.all([once(smtp.server, "listening"), once(page, "listening")]);
  return {
    smtpUrl: `smtp://${loopback}:${portOf(smtp.server)}`,
    pageUrl: `http://${loopback}:${portOf(page)}/`,
    mailbox,
    async stop() {
      page.closeAllConnections();
      await Promise.all([
        new Promise<void>((resolve) => smtp.close(() => resolve())),
        new Promise<void>((resolve) => page.close(() => resolve())),
      ]);
    },
  };
}

/** Null, or what the sender is told. */
async function take(mailbox: Mailbox, stream: SMTPServerDataStream): Promise<Error | null> {
  try {
    const raw = await buffer(stream);
    if (stream.sizeExceeded) return new Error(`A mail may have at most ${largestMail} bytes.`);
    await mailbox.keep(raw);
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function respond(mailbox: Mailbox, folder: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // A page of another origin that points its own name at loopback would otherwise read the mails.
  if (!/^(?:127\.0\.0\.1|localhost)(?::\d+)?$/.test(request.headers.host ?? "")) {
    response.writeHead(403).end("Only for this machine.\n");
    return;
  }
  const send = (type: string, body: string | Buffer) =>
    response
      .writeHead(200, {
        "content-type": type,
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
        "x-content-type-options": "nosniff",
      })
      .end(body);
  const source = /^\/mails\/(\d{6})\.eml$/.exec(request.url ?? "")?.[1];
  const raw = source === undefined ? null : await mailbox.raw(source);
  if (request.url === "/") send("text/html; charset=utf-8", mailPage(await mailbox.list(), folder));
  else if (request.url === "/mails.json") send("application/json", JSON.stringify(await mailbox.list()));
  else if (raw !== null) send("text/plain; charset=utf-8", raw);
  else response.writeHead(404).end("Here are / and /mails.json.\n");
}

function portOf(server: Pick<Server, "address">): number {
  return (server.address() as AddressInfo).port;
}
