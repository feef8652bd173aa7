import { formatNoteKey } from "@remit/core";
import { createAuditReportsStore } from "../audit/audit-reports.postgres.ts";
import { registerAuditReportRoutes } from "../audit/audit-reports.routes.ts";
import { createAuditReports } from "../audit/audit-reports.service.ts";
import { registerAnchorRoutes } from "../anchor/anchors.routes.ts";
import { createExportStore } from "../export/export.postgres.ts";
import { registerExportRoutes } from "../export/export.routes.ts";
import { createExports } from "../export/export.service.ts";
import { newId } from "../id/new-id.ts";
import { createAuditStore } from "../ledger/audit.postgres.ts";
import { registerAuditRoutes } from "../ledger/audit.routes.ts";
import { createAudit } from "../ledger/audit.service.ts";
import { createLedgerRows } from "../ledger/ledger-rows.postgres.ts";
import { registerLedgerKeyRoutes } from "../ledger/ledger-keys.routes.ts";
import { createRegistryHistory } from "../registry/registry-history.postgres.ts";
import { createHolds } from "../privacy/holds.service.ts";
import { createKeyRewriter } from "../privacy/key-rewriter.postgres.ts";
import { privacyStore } from "../privacy/privacy.postgres.ts";
import { registerPrivacyRoutes } from "../privacy/privacy.routes.ts";
import { createPrivacyRequests } from "../privacy/privacy-requests.ts";
import { createPrivacy } from "../privacy/privacy.service.ts";
import { startRetentionClock } from "../privacy/retention-clock.ts";
import { retentionStore } from "../privacy/retention.postgres.ts";
import { createRetention } from "../privacy/retention.service.ts";
import { createSubjectKeys } from "../privacy/subject-keys.ts";
import { createEntryBodies } from "../tlog/tlog.postgres.ts";
import { registerTlogRoutes } from "../tlog/tlog.routes.ts";
import { createTlog } from "../tlog/tlog.service.ts";
import type { AgentSecrets } from "../identity/agent-secrets.service.ts";
import type { Anchors } from "../anchor/anchors.service.ts";
import type { ApprovalService } from "../approval/approval.service.ts";
import type { RunningControlState } from "../control/control-state.postgres.ts";
import type { Database } from "../database/database.ts";
import type { StartedDatabase } from "../database/start-database.ts";
import type { App } from "../http/http-app.ts";
import type { KeyStore } from "../keys/key-store.ts";
import type { MasterKey } from "../keys/master-key.ts";
import type { LedgerKeys } from "../ledger/ledger-keys.service.ts";
import type { OpenLedger } from "../ledger/ledger.postgres.ts";
import type { PayloadKeys } from "../ledger/payload-keys.ts";
import type { TreeStore } from "../ledger/tree-store.ts";
import type { RetentionClock } from "../privacy/retention-clock.ts";
import type { RegistryService } from "../registry/registry.service.ts";
import type { Upstreams } from "../upstream/upstreams.ts";

export type RecordParts = {
  database: Database;
  started: Pick<StartedDatabase, "ownerUrl" | "embedded">;
  tree: TreeStore;
  ledger: OpenLedger;
  payloadKeys: PayloadKeys;
  keys: KeyStore;
  ledgerKeys: LedgerKeys;
  anchors: Anchors;
  origin: string;
  masterKey: MasterKey;
  control: RunningControlState;
  approvals: ApprovalService;
  registry: RegistryService;
  secrets: Pick<AgentSecrets, "list">;
  upstreams: Pick<Upstreams, "health">;
  now: () => Date;
  onError: (what: string) => (error: unknown) => void;
};

/**
 * A page of the composition root: everything that reads what was recorded. Auditors, verifiers, witnesses, and the people that it is about.
 * Nothing on the path of an action is in here.
 */
export function openRecord(app: App, parts: RecordParts): { startRetention(isReady: () => boolean): RetentionClock } {
  const { database, started, tree, ledger, payloadKeys, keys, ledgerKeys, anchors, origin, masterKey, control, approvals, registry } =
    parts;
  const { secrets, upstreams, now, onError } = parts;
  const rows = createLedgerRows(database);
  const audit = createAudit({
    store: createAuditStore(database),
    tree,
    rows,
    payloads: ledger,
    payloadKeys,
    keys,
    ledgerKeys,
    anchors,
    origin,
  });
  // What is held about people: shown to them, erased, held, and ended in time.
  const rewriter = createKeyRewriter({
    ownerUrl: started.ownerUrl,
    ownsCluster: started.embedded !== null,
    onError: onError("tables of deleted keys could not be rewritten"),
  });
  const subjects = createSubjectKeys({ store: privacyStore, masterKey, keys: payloadKeys });
  const keeping = {
    database,
    store: privacyStore,
    subjects,
    ledger,
    payloads: ledger,
    payloadKeys,
    control,
    approvals,
    rewriter,
    now,
    newId,
  };
  const retention = createRetention({ ...keeping, store: retentionStore, registry, masterKey });
  registerPrivacyRoutes(app, {
    privacy: createPrivacy(keeping),
    holds: createHolds(keeping),
    requests: createPrivacyRequests(keeping),
    retention,
  });
  registerAuditRoutes(app, { audit });
  registerLedgerKeyRoutes(app, { ledgerKeys });
  registerAnchorRoutes(app, { anchors });
  app.readiness.say("ledger", async () => (await anchors.view()).words);
  const tlog = createTlog({
    tree,
    entries: createEntryBodies(database),
    store: createAuditStore(database),
    notes: anchors.notes,
  });
  registerTlogRoutes(app, { tlog });
  const exports = createExports({
    store: createExportStore(database),
    rows,
    tree,
    payloadKeys,
    keys,
    ledger,
    signers: async () => (await ledgerKeys.signing()).signers,
    knownKeys: async () => (await ledgerKeys.history()).known.map(formatNoteKey),
    wholeNote: (one) => anchors.notes.whole(one),
    witnessed: () => anchors.notes.witnessed(),
    origin,
    now,
    newId,
  });
  registerExportRoutes(app, { exports });
  const reports = createAuditReports({
    store: createAuditStore(database),
    reports: createAuditReportsStore(database),
    payloads: ledger,
    history: createRegistryHistory(database),
    registry,
    secrets,
    upstreams,
    now,
  });
  registerAuditReportRoutes(app, { reports });

  return {
    startRetention: (isReady) =>
      startRetentionClock({
        ...keeping,
        // Before the first apply there is no schedule.
        retention: { catchUp: async () => (isReady() ? retention.catchUp() : null) },
        onError: onError("what is due could not be purged"),
      }),
  };
}
