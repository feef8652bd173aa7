import { parseArgs } from "node:util";
import { openMailbox } from "./mailbox.ts";
import { startMailSink } from "./sink.ts";

const usage = `node mail/main.ts list <folder> [--json]      the mails in a folder, newest first
node mail/main.ts serve <folder> [--smtp 2525] [--page 8025]
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean" }, smtp: { type: "string" }, page: { type: "string" } },
});
const [verb, folder] = positionals;

if (verb === "list" && folder !== undefined) {
  const mails = await (await openMailbox(folder)).list();
  if (values.json === true) console.log(JSON.stringify(mails, null, 2));
  else
    for (const mail of mails)
      console.log(`${mail.id}  ${mail.date}  to ${mail.to.join(", ")}\n  ${mail.subject}\n\n${mail.text.replaceAll(/^/gm, "    ")}\n`);
} else if (verb === "serve" && folder !== undefined) {
  const sink = await startMailSink(folder, { smtp: Number(values.smtp ?? 0), page: Number(values.page ?? 0) });
  console.log(`Mails to ${sink.smtpUrl}, to be read at ${sink.pageUrl}`);
  process.once("SIGINT", () => void sink.stop());
  process.once("SIGTERM", () => void sink.stop());
} else {
  process.stderr.write(usage);
  process.exitCode = 2;
}
