export { examine } from "./database/doctor.ts";
export type { Finding } from "./database/finding.ts";
export { startEmbeddedPostgres } from "./database/embedded-postgres.ts";
export { startServer } from "./main.ts";
export type { RunningServer, ServerOptions } from "./main.ts";
export { inspectApi } from "./openapi/inspect-api.ts";
export type { ApiInspection } from "./openapi/inspect-api.ts";
