import type { ReceivedMail } from "./mailbox.ts";

const style = `
  :root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
  body { max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
  article { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: 6px; padding: 1rem; margin: 1rem 0; }
  h2 { margin: 0 0 .25rem; font-size: 1.05rem; }
  p { margin: 0; opacity: .75; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; margin: .75rem 0 0; }`;

/** All mails on one page, for a person. */
export function mailPage(mails: readonly ReceivedMail[], folder: string): string {
  const articles = mails.map(
    (mail) => `<article>
  <h2>${escape(mail.subject)}</h2>
  <p>To ${escape(mail.to.join(", "))} · ${escape(mail.date)}${mail.ticketId === null ? "" : ` · ${escape(mail.ticketId)}`} · <a href="/mails/${mail.id}.eml">source</a></p>
  <pre>${escape(mail.text)}</pre>
</article>`,
  );
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Mails (${mails.length})</title><style>${style}</style></head>
<body>
<h1>Mails that left Northwind's helpdesk</h1>
<p>They ended here, in <code>${escape(folder)}</code>; nothing went to the network. Newest first.</p>
${articles.join("\n") || "<article>No mail has been sent yet.</article>"}
</body>
</html>
`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
