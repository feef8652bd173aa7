import { readFile, realpath, stat } from "node:fs/promises";
import { resolve, sep } from "node:path";
import type { Json } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { Outbound } from "../outbound/outbound.ts";
import { maxJsonBytes, parseApiText } from "./api-text.ts";

export type ApiSource = {
  document: Json;
  /** Where it was found, which addresses in it are relative to; null: it is a file. */
  url: URL | null;
};

const mediaTypes = [
  "application/json",
  "+json",
  "application/yaml",
  "+yaml",
  "application/x-yaml",
  "text/yaml",
  "text/x-yaml",
  "text/plain",
  "application/octet-stream",
];

/**
 * An OpenAPI description from below a folder, or from the Internet.
 * @throws RemitError `invalid-configuration` | `too-large` | `not-found` | `upstream-unavailable`
 */
export async function loadApi(
  document: string,
  options: { rootDir: string; outbound: Outbound; signal?: AbortSignal; timeoutMs?: number },
): Promise<ApiSource> {
  if (!/^https?:/i.test(document)) return { document: parseApiText(document, await readInside(options.rootDir, document)), url: null };
  const fetched = await options.outbound.fetch({
    url: document,
    accept: mediaTypes,
    maxBytes: maxJsonBytes,
    maxRedirects: 3,
    timeoutMs: options.timeoutMs ?? 15_000,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (fetched.type === "refused") throw new RemitError("upstream-unavailable", `${document} was not fetched: ${fetched.reason}`);
  if (fetched.status !== 200)
    throw new RemitError("upstream-unavailable", `${document} was not fetched: its server answered HTTP ${fetched.status}`);
  return { document: parseApiText(document, fetched.body), url: new URL(fetched.url) };
}

async function readInside(rootDir: string, path: string): Promise<Uint8Array> {
  try {
    const root = await realpath(rootDir);
    const file = await realpath(resolve(root, path));
    if (!file.startsWith(root.endsWith(sep) ? root : root + sep))
      throw new RemitError("invalid-configuration", `${path} leads out of the registry's folder; put the file itself there`);
    const { size } = await stat(file);
    if (size > maxJsonBytes) throw new RemitError("too-large", `${path} has ${size} bytes, and at most ${maxJsonBytes} are taken`);
    return await readFile(file);
  } catch (error) {
    if (RemitError.is(error)) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "it cannot be read";
    throw new RemitError("not-found", `the description ${path} cannot be read below the registry's root (${code})`, { cause: error });
  }
}
