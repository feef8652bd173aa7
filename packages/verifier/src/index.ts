export { runVerifier } from "./command-line.ts";
export { verifyBundle } from "./verify-bundle.ts";
export type { Verdict } from "./verdict.ts";
