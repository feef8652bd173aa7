import type { Json } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { parse } from "yaml";
import { readJson } from "../json/read-json.ts";

/** No description may be larger. Reading YAML takes far longer than reading JSON, and holds up everything else meanwhile. */
export const maxJsonBytes = 16 * 1024 * 1024;
const maxYamlBytes = 1024 * 1024;

/**
 * An OpenAPI description as text, JSON or YAML.
 * @throws RemitError `invalid-configuration` | `too-large`
 */
export function parseApiText(name: string, bytes: Uint8Array): Json {
  const isJson = bytes.subarray(0, 64).some((byte, index, head) => byte === 0x7b && head.subarray(0, index).every(isBlank));
  const most = isJson ? maxJsonBytes : maxYamlBytes;
  if (bytes.byteLength > most)
    throw new RemitError(
      "too-large",
      `${name} has ${bytes.byteLength} bytes, and at most ${most} are taken${isJson ? "" : "; as JSON it may be larger"}`,
    );
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    // Through JSON, so that nothing is shared and nothing is what JSON has no word for.
    return (isJson ? readJson(text) : JSON.parse(JSON.stringify(parse(text, { schema: "core", maxAliasCount: 100 })))) as Json;
  } catch (cause) {
    const why = cause instanceof Error ? (cause.message.split("\n", 1)[0] ?? "") : String(cause);
    throw new RemitError("invalid-configuration", `${name} cannot be read as ${isJson ? "JSON" : "YAML"}: ${why}`, { cause });
  }
}

/** Blanks and a byte order mark. */
function isBlank(byte: number): boolean {
  return [0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf].includes(byte);
}
