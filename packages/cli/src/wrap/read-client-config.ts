import type { ClientConfig } from "./client-config.ts";
import { jsonConfig } from "./json-config.ts";
import { tomlConfig } from "./toml-config.ts";

/** Reads a configuration by what it is, whichever client it is of. @throws RemitError `invalid-configuration` */
export function readClientConfig(file: string, text: string): ClientConfig {
  return file.endsWith(".toml") ? tomlConfig(text) : jsonConfig(text);
}
