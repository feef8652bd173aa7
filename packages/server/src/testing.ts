// For tests of other packages: what proves an example against the real parts.
export { openTestDatabase } from "./database/testing.ts";
export { parseFiles } from "./registry/parse-files.ts";
export { createCedarEngine } from "./policy/cedar-engine.ts";
export { createPolicyWorkbench } from "./policy/policy-workbench.ts";
