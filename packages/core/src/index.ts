export * from "./canonical/canonical-json.ts";
export * from "./decision/policy-request.ts";
export * from "./identity/roles.ts";
export * from "./registry/registry.ts";
