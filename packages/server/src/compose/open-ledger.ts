import { createAnchorStore } from "../anchor/anchor.postgres.ts";
import { startAnchors } from "../anchor/anchors.service.ts";
import type { Anchors } from "../anchor/anchors.service.ts";
import { readSinks } from "../anchor/read-sinks.ts";
import { createWitnessClient } from "../anchor/witness-client.ts";
import { readWitnessPolicy, recordWitnessPolicy } from "../anchor/witness-policy-file.ts";
import { newId } from "../id/new-id.ts";
import { commandSigner } from "../keys/command-signer.ts";
import { createAuditStore } from "../ledger/audit.postgres.ts";
import { ledgerOrigin } from "../ledger/ledger-key.ts";
import { createLedgerKeyStore } from "../ledger/ledger-keys.postgres.ts";
import { createLedgerKeys } from "../ledger/ledger-keys.service.ts";
import type { LedgerKeys } from "../ledger/ledger-keys.service.ts";
import { createLedger } from "../ledger/ledger.postgres.ts";
import type { OpenLedger } from "../ledger/ledger.postgres.ts";
import { createPayloadKeys } from "../ledger/payload-keys.postgres.ts";
import { createSequenceStore } from "../ledger/sequence-store.postgres.ts";
import { startSequencer } from "../ledger/sequencer.ts";
import { createTreeStore } from "../ledger/tree-store.postgres.ts";
import type { Database } from "../database/database.ts";
import type { KeyStore } from "../keys/key-store.ts";
import type { MasterKey } from "../keys/master-key.ts";
import type { PayloadKeys } from "../ledger/payload-keys.ts";
import type { Sequencer } from "../ledger/sequencer.ts";
import type { TreeStore } from "../ledger/tree-store.ts";
import type { Outbound } from "../outbound/outbound.ts";

export type LedgerParts = {
  database: Database;
  environment: Readonly<Record<string, string | undefined>>;
  masterKey: MasterKey;
  keys: KeyStore;
  outbound: Outbound;
  /** This server, as the holder of the lease of the order. */
  instance: string;
  traceId: () => string;
  replace: ((own: OpenLedger) => OpenLedger) | undefined;
  now: () => Date;
  onError: (what: string) => (error: unknown) => void;
};

export type Ledgering = {
  ledger: OpenLedger;
  payloadKeys: PayloadKeys;
  ledgerKeys: LedgerKeys;
  tree: TreeStore;
  sequencer: Sequencer;
  anchors: Anchors;
  origin: string;
  /** States in the ledger who is to watch it, where that has changed. */
  recordWitnessPolicy(): Promise<void>;
  stop(): Promise<void>;
};

/** A page of the composition root: what is recorded, in which order, under which keys, and who outside keeps it from being rewritten unseen. */
export async function openLedger(parts: LedgerParts): Promise<Ledgering> {
  const { database, environment, masterKey, keys, outbound, instance, traceId, replace, now, onError } = parts;
  const payloadKeys = createPayloadKeys({ database, masterKey });
  const origin = ledgerOrigin(environment);
  const ownLedger = createLedger({ database, payloadKeys, origin, traceId });
  const ledger = replace?.(ownLedger) ?? ownLedger;
  const ledgerKeys = createLedgerKeys({
    database,
    store: createLedgerKeyStore(database),
    keys,
    masterKey,
    ledger,
    origin,
    external: await commandSigner(environment, origin),
    postQuantum: environment["REMIT_LEDGER_POST_QUANTUM"] === "true",
    now,
    newId,
  });
  const policy = await readWitnessPolicy(environment);
  await ledgerKeys.announce();
  const tree = createTreeStore(database);
  const sequencer = startSequencer({
    origin,
    signing: () => ledgerKeys.signing(),
    sequence: createSequenceStore(database),
    holder: instance,
    tree,
    keys,
    onAppended: ledger.onAppended,
    onProblem: onError("the ledger cannot go on"),
  });
  const anchors = startAnchors({
    database,
    store: createAnchorStore(database),
    tree,
    ledger,
    ledgerKeys,
    client: createWitnessClient({ outbound, now }),
    policy,
    sinks: readSinks(environment),
    origin,
    now,
    newId,
    onProblem: onError("somebody who watches the ledger"),
  });
  return {
    ledger,
    payloadKeys,
    ledgerKeys,
    tree,
    sequencer,
    anchors,
    origin,
    recordWitnessPolicy: async () => recordWitnessPolicy(policy, { store: createAuditStore(database), ledger, now, newId }),
    async stop() {
      await anchors.stop();
      await ledger.close();
      await sequencer.stop();
    },
  };
}
