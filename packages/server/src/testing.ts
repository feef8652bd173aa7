// For tests of other packages and for the bench: what proves an example against the real parts, and what shows what one part costs.
export { openDatabase } from "./database/database.postgres.ts";
export { startEmbeddedPostgres } from "./database/embedded-postgres.ts";
export { migrationsFolder } from "./database/migrate.ts";
export { setup as startTestCluster } from "./database/test-cluster.ts";
export { openTestDatabase } from "./database/testing.ts";
export { parseFiles } from "./registry/parse-files.ts";
export { createCedarEngine } from "./policy/cedar-engine.ts";
export { createPolicyWorkbench } from "./policy/policy-workbench.ts";
export { startComposed } from "./main.ts";
export type { Replacements } from "./main.ts";
export { eraseKey, fill, openTestLedger, startAudit, testEntry, testId } from "./ledger/ledger.testing.ts";
export type { LedgerParts } from "./ledger/ledger.testing.ts";
export { exportTo, startExports } from "./export/export.testing.ts";
export { writeBundle } from "./export/bundle-writer.ts";
export type { BundleEntry } from "./export/bundle-pages.ts";
export { metricsTable } from "./telemetry/metrics-page.ts";
export { seeded, tamperEdits } from "./export/tamper-edits.testing.ts";
export { ledgerKeysOf, openTamperRoom } from "./export/tampered-ledger.testing.ts";
