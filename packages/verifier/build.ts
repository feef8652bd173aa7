/** Writes dist/remit-verify.mjs: the whole verifier in one file that needs Node 20 and nothing else. `--out <file>`: somewhere else. */
import { resolve } from "node:path";
import { rolldown } from "rolldown";

const named = process.argv.indexOf("--out");
const out = named < 0 ? resolve(import.meta.dirname, "../../dist/remit-verify.mjs") : resolve(process.argv[named + 1] ?? "");

const bundle = await rolldown({
  input: resolve(import.meta.dirname, "src/remit-verify.ts"),
  platform: "node",
  // What is imported for nothing but its side effects is not wanted here: the schemas of the contract stay out.
  treeshake: { moduleSideEffects: false },
});
const { output } = await bundle.write({ file: out, format: "esm", codeSplitting: false, banner: "#!/usr/bin/env node" });
const [file] = output;
process.stdout.write(`${out}: ${Buffer.byteLength(file.code)} bytes, imports ${file.imports.join(", ")}\n`);
