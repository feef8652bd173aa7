import { randomBytes } from "node:crypto";
import type { FastifyReply } from "fastify";
import { style } from "./page-style.ts";

/** Text that is HTML already. Only {@link html} makes it. */
export type Html = { readonly html: string };

type Part = string | number | Html | null | readonly Part[];

/** HTML with every value escaped. Attributes must be quoted. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { html: strings.map((text, index) => text + (index < parts.length ? render(parts[index] ?? null) : "")).join("") };
}

/** Answers with a page. See {@link renderPage}. */
export function sendPage(
  reply: FastifyReply,
  title: string,
  content: Html,
  status = 200,
  options: { formAction?: string } = {},
): FastifyReply {
  const { body, contentSecurityPolicy } = renderPage(title, content, options);
  return reply
    .code(status)
    .header("content-type", "text/html; charset=utf-8")
    .header("content-security-policy", contentSecurityPolicy)
    .send(body);
}

/**
 * A whole page: no script runs on it, nothing is loaded from elsewhere, and it cannot be framed. `formAction`: where, besides here, its
 * forms may lead in the end, as a source of a content security policy.
 */
export function renderPage(
  title: string,
  content: Html,
  options: { formAction?: string } = {},
): { body: string; contentSecurityPolicy: string } {
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
  const formAction = options.formAction === undefined ? "'self'" : `'self' ${options.formAction}`;
  return {
    body: page.html,
    contentSecurityPolicy: `default-src 'none'; style-src 'nonce-${nonce}'; form-action ${formAction}; frame-ancestors 'none'; base-uri 'none'`,
  };
}

const escapes: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function render(part: Part): string {
  if (part === null) return "";
  if (typeof part === "string" || typeof part === "number") return String(part).replace(/[&<>"']/g, (char) => escapes[char] ?? char);
  return "html" in part ? part.html : part.map(render).join("");
}
