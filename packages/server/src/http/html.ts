import { randomBytes } from "node:crypto";
import type { FastifyReply } from "fastify";

/** Text that is HTML already. Only {@link html} makes it. */
export type Html = { readonly html: string };

type Part = string | number | Html | null | readonly Part[];

/** HTML with every value escaped. Attributes must be quoted. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { html: strings.map((text, index) => text + (index < parts.length ? render(parts[index] ?? null) : "")).join("") };
}

/** Answers with a page: no script runs on it, nothing is loaded from elsewhere, and it cannot be framed. */
export function sendPage(reply: FastifyReply, title: string, content: Html, status = 200): FastifyReply {
  const nonce = randomBytes(16).toString("base64");
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} · Remit</title>
        <style nonce="${nonce}">
          ${{ html: style }}
        </style>
      </head>
      <body>
        <main>${content}</main>
      </body>
    </html>`;
  return reply
    .code(status)
    .header("content-type", "text/html; charset=utf-8")
    .header(
      "content-security-policy",
      `default-src 'none'; style-src 'nonce-${nonce}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
    )
    .send(page.html);
}

const style = `
:root { color-scheme: light dark; --line: light-dark(#d5d5d5, #444); --soft: light-dark(#f6f6f6, #222); }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; }
main { max-width: 56rem; margin: 0 auto; padding: 2rem 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid var(--line); }
pre { background: var(--soft); padding: 1rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
button { font: inherit; padding: .5rem 1rem; cursor: pointer; }
textarea, input { font: inherit; padding: .4rem; }
form { display: inline-block; margin: 0 .5rem .5rem 0; }
`;

const escapes: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function render(part: Part): string {
  if (part === null) return "";
  if (typeof part === "string" || typeof part === "number") return String(part).replace(/[&<>"']/g, (char) => escapes[char] ?? char);
  return "html" in part ? part.html : part.map(render).join("");
}
