import type { Id } from "../id/id.ts";
import type { JsonObject } from "../json/json.ts";
import type { Sensitivity } from "../registry/asset.ts";

/** Every kind of entry, noun-verb. */
export const entryTypes = [
  "action-intended",
  "action-waiting",
  "action-denied",
  "action-expired",
  "action-rejected",
  "action-cancelled",
  "action-halted",
  "action-succeeded",
  "action-failed",
  "action-unknown",
  "approval-requested",
  "approval-voted",
  "approval-granted",
  "approval-denied",
  "approval-expired",
  "approval-cancelled",
  "approval-delegated",
  "approval-escalated",
  "approval-consumed",
  "approval-stale",
  "run-started",
  "run-ended",
  "item-enqueued",
  "item-refused",
  "item-claimed",
  "item-completed",
  "item-returned",
  "item-set-aside",
  "registry-applied",
  "registry-refused",
  "agent-suspended",
  "tool-drifted",
  "tool-accepted",
  "upstream-started",
  "halt-engaged",
  "halt-release-requested",
  "halt-released",
  "token-issued",
  "token-refused",
  "secret-issued",
  "secret-retired",
  "secret-stored",
  "secret-rotated",
  "secret-removed",
  "credential-leased",
  "credential-revoked",
  "credential-connected",
  "credential-disconnected",
  "credential-expired",
  "consent-given",
  "consent-withdrawn",
  "link-issued",
  "link-used",
  "link-refused",
  "session-ended",
  "access-refused",
  "audit-exported",
  "circuit-opened",
  "circuit-closed",
  "policy-differed",
  "fault-added",
  "fault-confirmed",
  "fault-removed",
  "notification-recorded",
  "webhook-added",
  "webhook-secret-rotated",
  "webhook-paused",
  "webhook-resumed",
  "webhook-disabled",
  "webhook-replayed",
  "webhook-removed",
  "publisher-moved",
  "subject-exported",
  "subject-erased",
  "erasure-refused",
  "hold-placed",
  "hold-release-requested",
  "hold-released",
  "retention-purged",
  "ledger-restored",
  "master-key-rotated",
  "server-started",
  "server-stopped",
  "server-lost",
  "ledger-keys-changed",
  "ledger-split-view-found",
  "witness-policy-changed",
] as const;
export type EntryType = (typeof entryTypes)[number];

/** How an action may end: every attempt has exactly one entry of these. */
export const terminalEntryTypes = [
  "action-denied",
  "action-expired",
  "action-rejected",
  "action-cancelled",
  "action-halted",
  "action-succeeded",
  "action-failed",
  "action-unknown",
] as const satisfies readonly EntryType[];

/** Something large or personal that an entry refers to. It is sealed beside the entry and can be erased without breaking a proof. */
export type Payload = {
  /** Which payload of the entry: `arguments`, `result`. */
  name: string;
  /** Whose key seals it, where it is about nobody who is named: a run, an agent, a queue. Erasing that key erases it. */
  subject: string;
  /** The data subjects that it is about, `customer:C-1042`: sealed under the keys of all of them, so that erasing any one erases it. */
  about?: readonly string[];
  /** How sensitive it is; how long it is kept may depend on that. Default: `confidential`. */
  sensitivity?: Sensitivity;
  value: JsonObject;
};

/** An entry before it is committed. */
export type NewEntry = {
  id: Id<"entry">;
  type: EntryType;
  /** When it happened, ISO 8601 in UTC with milliseconds. */
  at: string;
  /** Who did it: `agent:<name>`, `party:<name>` or `service:<name>`. */
  actor: string;
  actionId?: Id<"action">;
  runId?: Id<"run">;
  approvalId?: Id<"approval">;
  /** W3C trace id, 32 hexadecimal digits. */
  traceId?: string;
  /** Facts of the entry. No secrets; nothing personal: that belongs into a payload. */
  data: JsonObject;
  payloads?: Payload[];
};
