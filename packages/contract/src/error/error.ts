/** Every way in which Remit refuses or fails, with its face at each edge: HTTP status, JSON-RPC code, exit code. */
export const errorTable = {
  // The caller must change the request.
  "invalid-request": { http: 400, rpc: -32602, exit: 2 },
  "invalid-arguments": { http: 422, rpc: -32602, exit: 2 },
  "invalid-configuration": { http: 422, rpc: -32602, exit: 2 },
  "too-large": { http: 413, rpc: -32600, exit: 2 },
  "unsupported-media-type": { http: 415, rpc: -32600, exit: 2 },
  "not-found": { http: 404, rpc: -32602, exit: 1 },
  "method-not-allowed": { http: 405, rpc: -32601, exit: 2 },
  conflict: { http: 409, rpc: -32602, exit: 1 },
  // Who are you?
  unauthenticated: { http: 401, rpc: -32001, exit: 4 },
  "token-expired": { http: 401, rpc: -32001, exit: 4 },
  "token-revoked": { http: 401, rpc: -32001, exit: 4 },
  "link-invalid": { http: 401, rpc: -32001, exit: 4 },
  "link-used": { http: 401, rpc: -32001, exit: 4 },
  forbidden: { http: 403, rpc: -32003, exit: 4 },
  "insufficient-scope": { http: 403, rpc: -32003, exit: 4 },
  // The action path says no.
  "unknown-tool": { http: 404, rpc: -32602, exit: 4 },
  "unknown-agent": { http: 403, rpc: -32003, exit: 4 },
  "agent-suspended": { http: 403, rpc: -32003, exit: 4 },
  "no-accountable-human": { http: 403, rpc: -32003, exit: 4 },
  "environment-not-granted": { http: 403, rpc: -32003, exit: 4 },
  "tool-not-granted": { http: 403, rpc: -32003, exit: 4 },
  "tool-changed": { http: 403, rpc: -32003, exit: 4 },
  "tier-too-low": { http: 403, rpc: -32003, exit: 4 },
  "no-grant": { http: 403, rpc: -32003, exit: 4 },
  "policy-stop": { http: 403, rpc: -32003, exit: 4 },
  "policy-missing": { http: 403, rpc: -32003, exit: 4 },
  "policy-error": { http: 403, rpc: -32003, exit: 4 },
  "obligation-unsupported": { http: 403, rpc: -32003, exit: 4 },
  "budget-exceeded": { http: 429, rpc: -32003, exit: 4 },
  "rate-exceeded": { http: 429, rpc: -32003, exit: 4 },
  "run-limit-reached": { http: 403, rpc: -32003, exit: 4 },
  "run-ended": { http: 403, rpc: -32003, exit: 4 },
  halted: { http: 423, rpc: -32003, exit: 6 },
  "safe-mode": { http: 423, rpc: -32003, exit: 6 },
  "control-state-stale": { http: 503, rpc: -32003, exit: 3 },
  "ledger-unavailable": { http: 503, rpc: -32003, exit: 3 },
  // Approvals.
  "approval-pending": { http: 202, rpc: -32004, exit: 5 },
  "approval-rejected": { http: 403, rpc: -32003, exit: 4 },
  "approval-expired": { http: 403, rpc: -32003, exit: 4 },
  "approval-cancelled": { http: 403, rpc: -32003, exit: 4 },
  "approval-not-eligible": { http: 403, rpc: -32003, exit: 4 },
  "approvals-full": { http: 429, rpc: -32003, exit: 4 },
  "approval-decided": { http: 409, rpc: -32003, exit: 1 },
  // It ran, or tried to.
  "upstream-unavailable": { http: 502, rpc: -32005, exit: 3 },
  "upstream-busy": { http: 503, rpc: -32005, exit: 3 },
  "circuit-open": { http: 503, rpc: -32005, exit: 3 },
  "upstream-timeout": { http: 504, rpc: -32005, exit: 3 },
  "upstream-error": { http: 502, rpc: -32005, exit: 1 },
  "credential-missing": { http: 502, rpc: -32005, exit: 1 },
  "credential-expired": { http: 502, rpc: -32005, exit: 1 },
  "credential-unavailable": { http: 502, rpc: -32005, exit: 3 },
  "result-invalid": { http: 502, rpc: -32005, exit: 1 },
  "citation-missing": { http: 502, rpc: -32005, exit: 1 },
  cancelled: { http: 499, rpc: -32006, exit: 1 },
  "outcome-unknown": { http: 500, rpc: -32005, exit: 1 },
  // Work.
  "queue-full": { http: 429, rpc: -32003, exit: 3 },
  // Ourselves.
  "database-unavailable": { http: 503, rpc: -32603, exit: 3 },
  "database-mismatch": { http: 500, rpc: -32603, exit: 1 },
  "schema-newer": { http: 500, rpc: -32603, exit: 1 },
  "server-unavailable": { http: 503, rpc: -32603, exit: 3 },
  internal: { http: 500, rpc: -32603, exit: 1 },
} as const satisfies Record<string, { http: number; rpc: number; exit: 0 | 1 | 2 | 3 | 4 | 5 | 6 }>;

/** The closed set of error codes. */
export type ErrorCode = keyof typeof errorTable;

/** One thing that is wrong with an input, and where. */
export type Issue = {
  /** What is wrong and what to do, as a sentence. */
  message: string;
  /** JSON pointer (RFC 6901) into the value, where the input was JSON or YAML. */
  pointer?: string;
  /** Path of the file, relative to the root of the registry, where the input was a file. */
  file?: string;
  /** One-based line in that file. */
  line?: number;
};

const brand = Symbol.for("remit.error");

/**
 * What Remit throws. Expected outcomes of an action (denied, waiting) are data and are never thrown.
 * The brand, not `instanceof`, identifies it: two copies of this package may be loaded.
 */
export class RemitError extends Error {
  readonly code: ErrorCode;
  readonly issues: readonly Issue[];
  readonly [brand] = true;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; issues?: readonly Issue[] } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "RemitError";
    this.code = code;
    this.issues = options.issues ?? [];
  }

  static is(value: unknown): value is RemitError {
    return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[brand] === true;
  }
}
