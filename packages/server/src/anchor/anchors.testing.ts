import { formatNoteKey, formatWitnessPolicy, parseWitnessPolicy } from "@remit/core";
import type { WitnessPolicy } from "@remit/core";
import { newId } from "../id/new-id.ts";
import { sha256 } from "../keys/note-crypto.ts";
import { createLedgerKeyStore } from "../ledger/ledger-keys.postgres.ts";
import { createLedgerKeys } from "../ledger/ledger-keys.service.ts";
import { defaultOrigin } from "../ledger/ledger-key.ts";
import { openTestDatabase } from "../database/testing.ts";
import type { TestDatabase } from "../database/testing.ts";
import { createAuditStore } from "../ledger/audit.postgres.ts";
import { createAudit } from "../ledger/audit.service.ts";
import { createLedgerRows } from "../ledger/ledger-rows.postgres.ts";
import { fill, startLedger, testMasterKey } from "../ledger/ledger.testing.ts";
import type { Signer } from "../keys/note-signer.ts";
import type { LedgerParts } from "../ledger/ledger.testing.ts";
import { createTreeStore } from "../ledger/tree-store.postgres.ts";
import { createOutbound } from "../outbound/outbound-fetch.ts";
import { serveWitness } from "../witness/witness-server.ts";
import { openTestWitness } from "../witness/witness.testing.ts";
import { createAnchorStore } from "./anchor.postgres.ts";
import { startAnchors } from "./anchors.service.ts";
import type { Anchors } from "./anchors.service.ts";
import type { Sink } from "./sink.ts";
import { createWitnessClient } from "./witness-client.ts";

export type TestWitness = AsyncDisposable & {
  name: string;
  url: string;
  vkeys: string[];
  folder: string;
  restart(): Promise<void>;
  stop(): Promise<void>;
};

/** A witness on this machine that watches one ledger. */
export async function startTestWitness(name: string, ledgerKey: string, postQuantum = false): Promise<TestWitness> {
  const files = await openTestWitness({ name, postQuantum, logs: [{ vkey: ledgerKey }] });
  let server = await serveWitness(files.settings, { host: "127.0.0.1", port: 0 });
  const { port } = new URL(server.url);
  return {
    name,
    url: server.url,
    vkeys: files.settings.signers.map(({ key }) => formatNoteKey(key)),
    folder: files.settings.folder,
    stop: () => server.stop(),
    async restart() {
      server = await serveWitness(await files.reopen(), { host: "127.0.0.1", port: Number(port) });
    },
    async [Symbol.asyncDispose]() {
      await server.stop().catch(() => undefined);
      await files[Symbol.asyncDispose]();
    },
  };
}

/** A policy in which each of these is an organisation of its own, unless it is said to be another's. */
export function policyOf(witnesses: readonly TestWitness[], quorum: number, organisations: Record<string, string> = {}): WitnessPolicy {
  const text = formatWitnessPolicy({
    logs: [],
    quorum,
    witnesses: witnesses.flatMap(({ name, url, vkeys }) =>
      vkeys.flatMap((vkey, index) => {
        const reading = parseWitnessPolicy(sha256, `witness w ${vkey}\nquorum w\n`);
        const key = reading.type === "policy" ? reading.policy.witnesses[0]?.key : undefined;
        return key === undefined ? [] : [{ name: `${name}-${index}`, key, url, organisation: organisations[name] ?? name }];
      }),
    ),
  });
  const reading = parseWitnessPolicy(sha256, text);
  if (reading.type === "refused") throw new Error(JSON.stringify(reading.problems));
  return reading.policy;
}

export type AnchoredLedger = TestDatabase &
  LedgerParts & {
    vkey: string;
    problems: string[];
    /** Watched by whom, from now on. Nothing runs by itself: `anchors.turn()` does. */
    watch(policy: WitnessPolicy, options?: { sinks?: Sink[]; now?: () => Date }): Promise<Anchors>;
    keys: LedgerParts["keys"];
    ledgerKeys: ReturnType<typeof createLedgerKeys>;
    audit(anchors: Anchors): ReturnType<typeof createAudit>;
    fill(...counts: number[]): Promise<void>;
    /** Lets everything that waits for its time be due. */
    hurry(): Promise<void>;
  };

/** A ledger that states its keys, as a server has it. */
export async function openAnchoredLedger(given: { external?: Signer; postQuantum?: boolean } = {}): Promise<AnchoredLedger> {
  const test = await openTestDatabase();
  const { database } = test;
  const now = () => new Date();
  const stated = Promise.withResolvers<ReturnType<typeof createLedgerKeys>>();
  const signing = async () => (await stated.promise).signing();
  const parts = startLedger(database, { leaseMs: 1_000, mergeMs: 5, pollMs: 10, signing });
  const ledgerKeys = createLedgerKeys({
    database,
    store: createLedgerKeyStore(database),
    keys: parts.keys,
    masterKey: testMasterKey,
    ledger: parts.ledger,
    external: given.external ?? null,
    postQuantum: given.postQuantum ?? false,
    now,
    newId,
  });
  await ledgerKeys.announce();
  stated.resolve(ledgerKeys);
  const problems: string[] = [];
  const running: Anchors[] = [];
  const tree = createTreeStore(database);
  return {
    ...test,
    ...parts,
    ledgerKeys,
    vkey: (await ledgerKeys.view()).keys.find(({ type }) => type === "ed25519")?.vkey ?? "",
    problems,
    async watch(policy, options = {}) {
      const anchors = startAnchors({
        database,
        store: createAnchorStore(database),
        tree,
        ledger: parts.ledger,
        ledgerKeys,
        client: createWitnessClient({ outbound: createOutbound({ allow: ["127.0.0.0/8"] }), now: options.now ?? now }),
        policy,
        origin: defaultOrigin,
        now: options.now ?? now,
        newId,
        onProblem: (error) => problems.push(error instanceof Error ? error.message : String(error)),
        intervalMs: 0,
        pollMs: null,
        ...(options.sinks === undefined ? {} : { sinks: options.sinks }),
      });
      running.push(anchors);
      return anchors;
    },
    audit: (anchors) =>
      createAudit({
        store: createAuditStore(database),
        tree,
        rows: createLedgerRows(database),
        payloads: parts.ledger,
        payloadKeys: parts.payloadKeys,
        keys: parts.keys,
        ledgerKeys,
        anchors,
      }),
    fill: async (...counts) => void (await fill({ ...parts, database }, counts)),
    hurry: async () => void (await test.superuser.query("UPDATE ledger_anchor SET next_at = '-infinity', claimed_until = '-infinity'")),
    [Symbol.asyncDispose]: async () => {
      for (const anchors of running) await anchors.stop();
      await parts.ledger.close();
      await parts.sequencer.stop();
      await test[Symbol.asyncDispose]();
    },
  };
}
