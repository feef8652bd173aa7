import { mkdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { RemitError } from "@remit/contract";
import { currentBuckets } from "@remit/core";
import { startActionExecutor } from "./action/action-executor.ts";
import type { ActionDeps } from "./action/action-deps.ts";
import type { ActionJournal } from "./action/action.journal.ts";
import type { PolicyEngine } from "./policy/policy-engine.ts";
import type { Callers } from "./identity/callers.ts";
import type { Database } from "./database/database.ts";
import { createActionJournal } from "./action/action.journal.postgres.ts";
import { createActionPath } from "./action/action.pipeline.ts";
import { crashAt } from "./action/crash-point.ts";
import { createUpstreamTasks } from "./action/upstream-tasks.ts";
import { createUpstreamTaskStore } from "./action/upstream-tasks.postgres.ts";
import { createInFlight } from "./action/in-flight.ts";
import { createNormaliser } from "./action/normalise.ts";
import { createRunActions } from "./action/run-actions.postgres.ts";
import { createWaitingActions } from "./action/waiting-actions.postgres.ts";
import { registerApprovalPages } from "./approval/approval.pages.ts";
import { approvalStore } from "./approval/approval.postgres.ts";
import { registerApprovalRoutes } from "./approval/approval.routes.ts";
import { createApprovals } from "./approval/approval.service.ts";
import { recordRestorations, refuseUnverified } from "./backup/restorations.postgres.ts";
import { startCatchUpClock } from "./clock/catch-up-clock.ts";
import { drain } from "./control/drain.ts";
import type { DrainLimits } from "./control/drain.ts";
import { createControlState } from "./control/control-state.postgres.ts";
import { startServerInstance } from "./control/server-instance.postgres.ts";
import { startDatabase } from "./database/start-database.ts";
import { createFaultInjector } from "./fault/fault-injector.ts";
import { faultStore } from "./fault/fault.postgres.ts";
import { registerFaultRoutes } from "./fault/fault.routes.ts";
import { createFaults } from "./fault/fault.service.ts";
import { haltStore } from "./halt/halt.postgres.ts";
import { registerHaltRoutes } from "./halt/halt.routes.ts";
import { createHalts } from "./halt/halt.service.ts";
import { createHttpApp } from "./http/http-app.ts";
import { newId } from "./id/new-id.ts";
import { createIdentity, registerIdentityRoutes } from "./identity/identity.ts";
import { createConsentStore } from "./identity/consent.postgres.ts";
import { createIdentityStore } from "./identity/identity.postgres.ts";
import { createOAuthRecords } from "./identity/oauth-records.postgres.ts";
import { openMachineKey } from "./identity/machine-key.ts";
import { createRefusalRecorder } from "./identity/refusal-recorder.ts";
import { createKeyStore } from "./keys/key-store.postgres.ts";
import { loadMasterKey } from "./keys/master-key.ts";
import { confirmMasterKey, recordRotations } from "./master-key/master-key-record.postgres.ts";
import type { OpenLedger } from "./ledger/ledger.postgres.ts";
import { createLogger } from "./log/logger.ts";
import { createOutbound } from "./outbound/outbound-fetch.ts";
import { createCedarEngine } from "./policy/cedar-engine.ts";
import { createDifferenceRecorder } from "./policy/difference-recorder.ts";
import { createPolicyWorkbench } from "./policy/policy-workbench.ts";
import { registerPolicyRoutes } from "./policy/policy.routes.ts";
import { registryStore } from "./registry/registry.postgres.ts";
import { registerRegistryRoutes } from "./registry/registry.routes.ts";
import { createRegistry } from "./registry/registry.service.ts";
import { queueStore } from "./run/queue.postgres.ts";
import { registerQueueRoutes } from "./run/queue.routes.ts";
import { createQueues } from "./run/queue.service.ts";
import { runStore } from "./run/run.postgres.ts";
import { registerRunRoutes } from "./run/run.routes.ts";
import { createRuns } from "./run/run.service.ts";
import type { Runs } from "./run/runs.ts";
import { createContainmentRecorder } from "./sandbox/record-containment.ts";
import { createCredentials } from "./secret/credentials.ts";
import { registerConnectRoutes } from "./secret/connect.routes.ts";
import { grantStore } from "./secret/grant.postgres.ts";
import { createKnownSecrets } from "./secret/known-secrets.ts";
import { leaseStore } from "./secret/lease.postgres.ts";
import { secretStore } from "./secret/secret.postgres.ts";
import { registerSecretRoutes } from "./secret/secret.routes.ts";
import { createCurrentTrace } from "./telemetry/current-trace.ts";
import { traceRequests } from "./telemetry/http-trace.ts";
import { createTracing } from "./telemetry/otlp-tracing.ts";
import { startMetrics } from "./telemetry/start-metrics.ts";
import { createStateFacts } from "./telemetry/state-facts.postgres.ts";
import { createTallyStore } from "./telemetry/tally.postgres.ts";
import { createCircuitRecorder } from "./upstream/circuit-recorder.ts";
import { registerUpstreamRoutes } from "./upstream/upstreams.routes.ts";
import { createUpstreams } from "./upstream/upstreams.service.ts";
import { openGateway } from "./compose/open-gateway.ts";
import { openLedger } from "./compose/open-ledger.ts";
import { openRecord } from "./compose/open-record.ts";
import { openStreams } from "./compose/open-streams.ts";
import { serverAddress } from "./compose/server-address.ts";

export type ServerOptions = {
  /** Where keys and, without `databaseUrl`, the database live. */
  dataDir: string;
  host: string;
  /** 0: any free one. */
  port: number;
  /** A PostgreSQL that somebody else runs. */
  databaseUrl?: string;
  /** The root of the registry, which upstreams' `cwd` is relative to. Default: the working folder. */
  registryDir?: string;
  logLevel: string;
  /** How others reach this server, where that is not the address it listens on. */
  publicUrl?: string;
  /** Variables that upstreams may be passed, besides the process's own. */
  environment?: Readonly<Record<string, string | undefined>>;
};

export type RunningServer = {
  /** How others reach it. */
  url: string;
  /** Where it listens: this server, and no other that shares its database. */
  localUrl: string;
  machineKeyFile: string;
  /** The login that owns the database's schema, for what has a database of its own beside ours. */
  databaseOwnerUrl: string;
  /**
   * Cancels what is in flight, records its outcome, and stops everything that this started. With limits, what is in flight may come to
   * its end before, and whoever spreads requests over servers is told in time.
   */
  stop(drainFirst?: DrainLimits): Promise<void>;
};

/** Parts that something else may stand in for. Functions alone: nothing that can be configured or sent turns any of this on. */
export type Replacements = {
  database?: (own: Database) => Database;
  ledger?: (own: OpenLedger) => OpenLedger;
  policyEngine?: (own: PolicyEngine) => PolicyEngine;
  callers?: (own: Callers) => Callers;
  journal?: (own: ActionJournal) => ActionJournal;
  /** The folder of the migrations of another version. */
  migrations?: () => string;
};

export async function startServer(options: ServerOptions): Promise<RunningServer> {
  return startComposed(options, {});
}

/** The one composition root: every part is chosen and joined here, and nowhere else. What was replaced is said in the log and the ledger. */
export async function startComposed(options: ServerOptions, replace: Replacements): Promise<RunningServer> {
  const replaced = Object.keys(replace);
  const environment = { ...process.env, ...options.environment };
  const dataDir = resolve(options.dataDir);
  const known = createKnownSecrets();
  const logger = createLogger({ level: options.logLevel, redact: known.text });
  if (replaced.length > 0) logger.warn({ replaced }, "parts of this server have been replaced: it does not govern as Remit does");
  const now = (): Date => new Date();
  const onError = (what: string) => (error: unknown) => logger.error({ err: error }, what);
  const stops: (() => Promise<unknown> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of stops.splice(0).reverse()) {
      try {
        await end();
      } catch (error) {
        logger.error({ err: error }, "a part did not stop as it should");
      }
    }
  };

  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    const databaseUrl = options.databaseUrl ?? environment["DATABASE_URL"];
    const started = await startDatabase({
      dataFolder: dataDir,
      ...(databaseUrl === undefined ? {} : { url: databaseUrl }),
      ...(environment["DATABASE_OWNER_URL"] === undefined ? {} : { ownerUrl: environment["DATABASE_OWNER_URL"] }),
      ...(replace.migrations === undefined ? {} : { migrations: replace.migrations() }),
      log: (line) => logger.info(line),
    });
    stops.push(() => started.stop());
    const database = replace.database?.(started.database) ?? started.database;

    await refuseUnverified(database);

    // What everything else rests on: keys, the ledger, the number that all servers agree on.
    const masterKey = await loadMasterKey({ environment, dataDirectory: dataDir });
    const machineKey = await openMachineKey(dataDir);
    const keys = createKeyStore({ database, masterKey });
    const trace = createCurrentTrace();
    const instance = await startServerInstance({
      database,
      name: `${hostname()}:${options.port === 0 ? process.pid : options.port}`,
      schema: started.schema,
      onError: onError("this server could not say that it is alive"),
    });
    stops.push(() => instance.stop());
    // After it is known that this server is there: a rotation waits for it, or it for the rotation.
    await confirmMasterKey(database, masterKey);
    // What others point to is fetched by this and nothing else. It reaches the Internet, and what is listed here of the rest.
    const outbound = createOutbound({
      allow: (environment["REMIT_OUTBOUND_ALLOW"] ?? "")
        .split(",")
        .map((range) => range.trim())
        .filter(Boolean),
    });
    const ledgering = await openLedger({
      database,
      environment,
      masterKey,
      keys,
      outbound,
      instance: instance.id,
      traceId: () => trace.id(),
      replace: replace.ledger,
      now,
      onError,
    });
    stops.push(() => ledgering.stop());
    const { ledger, payloadKeys, ledgerKeys, tree, sequencer, anchors, origin } = ledgering;
    const notices = started.notices({
      channel: "remit_control",
      onNotice: () => void control.refresh().catch(() => undefined),
      onError: onError("changes of the control state are not announced to this server; it finds them by looking"),
    });
    stops.push(() => notices.stop());
    const control = createControlState({
      database,
      notices,
      monotonicMs: () => performance.now(),
      onError: onError("the control state could not be confirmed"),
    });
    control.onChange(() => confirmMasterKey(database, masterKey));
    control.onConfirmed((epoch) => instance.applied(epoch));
    stops.push(() => control.stop());
    const tracing = await createTracing({ environment, logger });
    stops.push(() => tracing.stop());

    // Who may do what: upstreams, policy, registry, halts.
    const credentials = createCredentials({
      database,
      stores: { secrets: secretStore, leases: leaseStore, grants: grantStore },
      outbound,
      publicUrl: () => publicUrl,
      onConnected: (upstream) => {
        upstreams
          .offered(upstream)
          .then((offered) => registry.driftCheck(upstream, offered))
          .catch(onError("an upstream that somebody has just consented to does not list its tools"));
      },
      masterKey,
      ledger,
      // Both are made further down, and asked only once everything stands.
      registry: { current: () => registry.current() },
      halts: { current: () => halts.current() },
      control,
      known,
      logger,
      now,
    });
    stops.push(() => credentials.stop());
    const upstreams = createUpstreams({
      broker: credentials.broker,
      hidden: [dataDir],
      onStarted: createContainmentRecorder({ ledger, now, newId, onError: onError("how an upstream was started could not be recorded") }),
      logger,
      now,
      rootDir: resolve(options.registryDir ?? "."),
      environment,
      outbound,
      // Faults are made further down, for they need to know of the registry.
      disturb: (call, send) => injectFaults(call, send),
    });
    stops.push(() => upstreams.stop());
    const ownEngine = createCedarEngine({
      onDifference: createDifferenceRecorder({
        ledger,
        logger,
        now,
        newId,
        onError: onError("that policies were evaluated in two ways could not be recorded"),
      }),
    });
    const policyEngine = replace.policyEngine?.(ownEngine) ?? ownEngine;
    const registry = createRegistry({ database, store: registryStore, ledger, control, upstreams, policyEngine, now });
    control.onChange(async () => {
      // Before the first apply there is nothing to connect to.
      const loaded = loadedOrNull(registry);
      if (loaded !== null) upstreams.reconcile(loaded.registry.upstreams.values());
    });
    upstreams.onOffered((upstream, offered) => {
      registry.driftCheck(upstream, offered).catch(onError("an upstream's tools could not be compared with what was accepted"));
    });
    const inFlight = createInFlight();
    upstreams.onCircuit(
      createCircuitRecorder({ ledger, now, newId, onError: onError("that a tool is no longer called could not be recorded") }),
    );
    const faults = createFaults({ database, store: faultStore, ledger, control, registry, now, newId });
    const injectFaults = createFaultInjector({ faults, registry, now });
    const halts = createHalts({
      database,
      store: haltStore,
      ledger,
      control,
      inFlight,
      server: { instance: instance.id, name: instance.name, onConfirmed: (listener) => control.onConfirmed(listener) },
      // Runs are made further down, for they need to know of halts.
      revokeLeases: credentials.leases.revokeIn,
      haltRun: (transaction, id, reason, actor) => runs.haltRun(transaction, id, reason, actor),
      now,
      newId,
    });

    control.onChange(() => credentials.broker.lookAgain());

    const { port, localUrl, publicUrl } = await serverAddress(options);
    const tokenKey = await keys.signingKey("tokens", "ES256");
    const identity = createIdentity({
      database,
      store: createIdentityStore(database),
      consents: createConsentStore(database),
      records: createOAuthRecords(database),
      outbound,
      cookieKey: masterKey.derive("oauth-cookies"),
      ledger,
      registry,
      control,
      tokenKey,
      machineKey,
      publicUrl,
      logger,
      now,
    });
    stops.push(() => identity.stop());

    // The path of an action, and the people that it asks.
    const waiting = createWaitingActions({ database, ledger, tracing, registry, newId });
    const approvals = createApprovals({
      database,
      store: approvalStore,
      ledger,
      registry,
      waiting,
      outcomes: waiting,
      payloads: ledger,
      publicUrl,
      now,
      newId,
    });
    const ownJournal = createActionJournal({ database, ledger, approvals, instance: instance.id });
    const journal = replace.journal?.(ownJournal) ?? ownJournal;
    const upstreamTasks = createUpstreamTasks({
      store: createUpstreamTaskStore(database),
      inFlight,
      now,
      onError: onError("what an upstream does by itself could not be noted"),
    });
    stops.push(() => upstreamTasks.stop());
    const deps: ActionDeps = {
      registry,
      control,
      halts,
      policy: policyEngine,
      journal,
      approvals,
      payloads: ledger,
      upstreams,
      normaliser: createNormaliser(),
      inFlight,
      upstreamTasks,
      tracing,
      logger,
      now,
      newId,
      crash: crashAt(environment["REMIT_CRASH_POINT"]),
    };
    const path = createActionPath(deps);

    const runs: Runs = createRuns({
      database,
      store: runStore,
      queues: queueStore,
      actions: createRunActions(database),
      ledger,
      payloads: ledger,
      registry,
      halts,
      approvals,
      callers: identity.callers,
      revokeLeases: credentials.leases.revokeIn,
      revokeRun: (id, reason) => identity.revokeRun(id, reason),
      control,
      inFlight,
      publicUrl,
      now,
      newId,
    });
    const refusals = createRefusalRecorder({ ledger, logger, now });
    stops.push(() => refusals.stop());
    const queues = createQueues({ database, queues: queueStore, ledger, registry, refusals, now, newId });

    const app = await createHttpApp({ logger, publicUrl, doorkeeper: identity.doorkeeper });
    traceRequests(app, { tracing, current: trace });
    app.readiness.add("control", () => void control.epoch());
    app.readiness.add("ledger", () => sequencer.check());
    registerIdentityRoutes(app, identity);
    registerRegistryRoutes(app, { registry });
    registerPolicyRoutes(app, { registry, workbench: createPolicyWorkbench() });
    registerApprovalRoutes(app, { approvals });
    registerApprovalPages(app, { approvals, registry, anchoring: async () => (await anchors.view()).words, now });
    registerHaltRoutes(app, { halts });
    registerRunRoutes(app, { runs });
    registerQueueRoutes(app, { queues });
    registerFaultRoutes(app, { faults });
    registerUpstreamRoutes(app, { upstreams });
    registerSecretRoutes(app, { ...credentials, registry });
    registerConnectRoutes(app, { grants: credentials.grants, publicUrl });
    const record = openRecord(app, {
      database,
      started,
      tree,
      ledger,
      payloadKeys,
      keys,
      ledgerKeys,
      anchors,
      origin,
      masterKey,
      control,
      approvals,
      registry,
      secrets: identity.secrets,
      upstreams,
      now,
      onError,
    });
    const streams = await openStreams(app, { database, ledger, outbound, masterKey, keys, known, environment, now, onError });
    stops.push(() => streams.close());
    openGateway(app, {
      deps,
      path,
      database,
      masterKey,
      control,
      upstreams,
      upstreamTasks,
      approvals,
      callers: replace.callers?.(identity.callers) ?? identity.callers,
      publicUrl,
    });

    const metrics = await startMetrics(app, {
      environment,
      dataDir,
      masterKey,
      isLeading: () => sequencer.isLeading(),
      controlAgeMs: () => control.ageMs(),
      upstreams: () => upstreams.health(),
      tracing,
      registry,
      tally: createTallyStore(database),
      state: createStateFacts(database, () => currentBuckets(now(), loadedOrNull(registry)?.registry.organisation.timeZone ?? "UTC")),
      instance: instance.id,
      now,
      logger,
    });
    stops.push(() => metrics.stop());

    await control.start();
    const approvalClock = startCatchUpClock({
      catchUp: (failed) => approvals.catchUp(failed),
      onError: (error, approvalId) => logger.error({ err: error, approvalId }, "a request could not be brought up to date"),
    });
    const runClock = startCatchUpClock({
      catchUp: (failed) => runs.catchUp(failed),
      onError: (error, runId) => logger.error({ err: error, runId }, "a run could not be brought up to date"),
    });
    const executor = startActionExecutor(deps, {
      executeGranted: () => path.executeGranted(),
      onGranted: (listener) => approvals.onGranted(listener),
    });
    const retentionClock = record.startRetention(() => loadedOrNull(registry) !== null);
    streams.start();
    await app.listen({ host: options.host, port });
    // In this order at the end: no more requests, no more grants, what is in flight is recorded, then the parts beneath.
    stops.push(
      () =>
        ledger.record({
          id: newId("entry"),
          type: "server-stopped",
          at: now().toISOString(),
          actor: "service:remit",
          data: { instance: instance.id },
        }),
      () => journal.idle(),
      () => executor.stop(),
      () => approvalClock.stop(),
      () => runClock.stop(),
      () => retentionClock.stop(),
      () => app.close(),
      () => streams.stop(),
      // What is executing is stopped while its outcome can be recorded and its callers told.
      () => inFlight.close(),
    );
    await ledgering.recordWitnessPolicy();
    await recordRestorations({ database, ledger, now, newId });
    await recordRotations({ database, ledger, now, newId });
    await ledger.record({
      id: newId("entry"),
      type: "server-started",
      at: now().toISOString(),
      actor: "service:remit",
      data: { instance: instance.id, ...(replaced.length === 0 ? {} : { replaced }) },
    });
    return {
      url: publicUrl.origin,
      localUrl: localUrl.origin,
      machineKeyFile: join(dataDir, "machine.key"),
      databaseOwnerUrl: started.ownerUrl,
      async stop(drainFirst) {
        if (drainFirst !== undefined) {
          const onDrainError = onError("the server could not say that it is being stopped");
          await drain({ readiness: app.readiness, instance, executor, inFlight, onError: onDrainError }, drainFirst);
        }
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function loadedOrNull(registry: ReturnType<typeof createRegistry>): ReturnType<ReturnType<typeof createRegistry>["loaded"]> | null {
  try {
    return registry.loaded();
  } catch (error) {
    if (RemitError.is(error)) return null;
    throw error;
  }
}
