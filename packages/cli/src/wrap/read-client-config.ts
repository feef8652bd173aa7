import { RemitError } from "@remit/contract";
import type { ClientConfig } from "./client-config.ts";
import { jsonConfig } from "./json-config.ts";
import { tomlConfig } from "./toml-config.ts";

/** Reads a configuration by what it is, whichever client it is of. @throws RemitError `invalid-configuration` */
export function readClientConfig(file: string, text: string): ClientConfig {
  return file.endsWith(".toml") ? tomlConfig(text) : jsonConfig(text);
}

/** The text of a configuration. @throws RemitError `invalid-configuration`: it would not come back byte for byte */
export function decodeConfig(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new RemitError("invalid-configuration", "The configuration is no UTF-8 text. Nothing was changed.", { cause: error });
  }
}
