import { createRequire } from "node:module";
import type { Cedar } from "./compile.ts";

const require = createRequire(import.meta.url);
const name = "@cedar-policy/cedar-wasm/nodejs";

/** A fresh instance of Cedar, with its own memory. A trap leaves an instance unusable; another one is the only cure. */
export function loadCedar(): Cedar {
  delete require.cache[require.resolve(name)];
  return require(name) as Cedar;
}
