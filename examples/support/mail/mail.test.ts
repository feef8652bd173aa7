import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createTransport } from "nodemailer";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startMailSink } from "./sink.ts";
import type { MailSink } from "./sink.ts";

let folder: string;
let sink: MailSink;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mails-"));
  sink = await startMailSink(folder);
});
afterEach(async () => {
  await sink.stop();
  await rm(folder, { recursive: true });
});

const send = (subject: string, text = "…") =>
  createTransport(sink.smtpUrl).sendMail({
    from: "support@northwind.example",
    to: "zofia@pierogarnia.example",
    subject,
    text,
    headers: { "X-Ticket": "BIL-1014" },
  });

test("keeps every mail as a file, and shows the newest first to people and programs", async () => {
  await send("Pierwsza");
  await send("領収書", "<script>alert(1)</script>\nżółć");
  expect(await readdir(folder)).toEqual(["000001.eml", "000002.eml"]);

  const listed: unknown = await (await fetch(`${sink.pageUrl}mails.json`)).json();
  expect(listed).toMatchObject([
    { subject: "領収書", text: "<script>alert(1)</script>\nżółć", ticketId: "BIL-1014" },
    { subject: "Pierwsza" },
  ]);
  const page = await (await fetch(sink.pageUrl)).text();
  expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;\nżółć");
  expect(page).not.toContain("<script>");
  expect(await (await fetch(`${sink.pageUrl}mails/000001.eml`)).text()).toContain("X-Ticket: BIL-1014");
  expect((await fetch(`${sink.pageUrl}mails/999999.eml`)).status).toBe(404);

  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [main, "list", folder]);
  expect(stdout).toMatch(/000002 .*zofia@pierogarnia\.example\n {2}領収書[^]*000001/);
});

test("numbers go on after a restart, and mails at the same moment all arrive", async () => {
  await send("one");
  await sink.stop();
  sink = await startMailSink(folder);
  await Promise.all(Array.from({ length: 8 }, (_, number) => send(`at once ${number}`)));
  expect(await readdir(folder)).toHaveLength(9);
  expect(new Set((await sink.mailbox.list()).map((mail) => mail.subject)).size).toBe(9);
});

test("shows nothing to a page of another origin that calls itself by our address", async () => {
  const status = await new Promise<number | undefined>((resolve, reject) => {
    request(sink.pageUrl, { headers: { host: "evil.example" } }, (response) => resolve(response.resume().statusCode))
      .on("error", reject)
      .end();
  });
  expect(status).toBe(403);
});
