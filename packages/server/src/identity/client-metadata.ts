import { showHidden } from "@remit/core";
import type { Outbound } from "../outbound/outbound.ts";

/** Why a client's document could not be fetched, in words that may be shown. */
export class ClientDocumentRefused extends Error {}

/** A client's document is a page of text. */
const maxBytes = 32 * 1024;
const timeoutMs = 2_500;

/** The `fetch` of oidc-provider, for the metadata documents of clients: whoever writes a `client_id` chooses what is fetched. */
export function clientDocumentFetch(outbound: Outbound): (input: string | URL | Request) => Promise<Response> {
  return async (input) => {
    const url = input instanceof Request ? input.url : String(input);
    const result = await outbound.fetch({ url, accept: ["application/json", "+json"], maxBytes, timeoutMs });
    if (result.type === "refused") throw new ClientDocumentRefused(result.reason);
    if (result.status !== 200) throw new ClientDocumentRefused(`The address answers with status ${result.status}`);
    const headers = new Headers({ "content-type": result.mediaType });
    for (const name of ["cache-control", "expires"]) {
      const value = result.headers[name];
      if (value !== undefined) headers.set(name, value);
    }
    return new Response(new Uint8Array(result.body), { status: 200, headers });
  };
}

/** What a client calls itself, as it can be shown: short, on one line, with nothing hidden in it. */
export function shownClientName(name: unknown): string {
  if (typeof name !== "string") return "a client without a name";
  const shown = showHidden(name.replaceAll(/\s+/g, " ").trim()).slice(0, 80);
  return shown === "" ? "a client without a name" : shown;
}
