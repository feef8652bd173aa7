export * from "./canonical/canonical-json.ts";
export * from "./decision/policy-request.ts";
export * from "./registry/registry.ts";
