import { createHmac, timingSafeEqual } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { LedgerKeysView } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { canonicalJson, formatNoteKey, noteKeyTypes, parseNoteKey } from "@remit/core";
import type { LedgerKeyChange, NoteKey, NoteKeyType } from "@remit/core";
import { z } from "zod";
import type { Database, Transaction } from "../database/database.ts";
import type { newId } from "../id/new-id.ts";
import type { KeyStore } from "../keys/key-store.ts";
import type { MasterKey } from "../keys/master-key.ts";
import { sha256 } from "../keys/note-crypto.ts";
import { localSigner } from "../keys/note-signer.ts";
import type { Signer } from "../keys/note-signer.ts";
import { defaultOrigin } from "./ledger-key.ts";
import type { LedgerKeyStore, StoredKeySet } from "./ledger-keys.store.ts";
import type { Ledger } from "./ledger.ts";

const heldSchema = z.union([z.strictObject({ name: z.string(), version: z.int() }), z.literal("command")]);
const setSchema = z.strictObject({
  signing: z.array(z.strictObject({ vkey: z.string(), held: heldSchema })).min(1),
  retired: z.array(z.strictObject({ vkey: z.string(), held: heldSchema })),
});
type KeySet = z.infer<typeof setSchema>;
type HeldKey = KeySet["signing"][number];

export type LedgerKeysDeps = {
  database: Database;
  store: LedgerKeyStore;
  keys: KeyStore;
  masterKey: MasterKey;
  ledger: Ledger;
  origin?: string;
  /** What signs outside of this process, where that is configured. */
  external: Signer | null;
  /** Whether checkpoints are to be signed with ML-DSA-44 as well. */
  postQuantum: boolean;
  now: () => Date;
  newId: typeof newId;
};

/** The keys that sign checkpoints. Which they are is stated in the ledger; the statement before a change is signed by the keys before it. */
export type LedgerKeys = {
  /** States the keys in the ledger where that was never done, and adds those that are newly configured. Called before anything is signed. */
  announce(): Promise<void>;
  /** All that sign now, and all keys there ever were. @throws RemitError `invalid-configuration` where one that must sign cannot be reached */
  signing(): Promise<{ signers: Signer[]; known: NoteKey[] }>;
  /** Every statement about keys and its place. What is not bound to the master key is not among them, and is named. */
  history(): Promise<{ changes: LedgerKeyChange[]; known: NoteKey[]; forged: string[] }>;
  view(): Promise<LedgerKeysView>;
  /** A new key signs beside the old ones. @throws RemitError `conflict` when one does already */
  begin(actor: string): Promise<LedgerKeysView>;
  /** Only the newest keys sign from here on. @throws RemitError `conflict` when nothing was begun */
  finish(actor: string): Promise<LedgerKeysView>;
};

const sealedNames: Record<Exclude<NoteKeyType, "ed25519-cosignature">, { name: string; algorithm: "Ed25519" | "ML-DSA-44" }> = {
  ed25519: { name: "ledger", algorithm: "Ed25519" },
  "ml-dsa-44-cosignature": { name: "ledger-ml-dsa-44", algorithm: "ML-DSA-44" },
};

/** What the master key is derived for, to bind sets of keys to it. */
export const keySetPurpose = "ledger-key-set";

export function keySetCode(bindingKey: KeyObject, { version, keys, entryId }: Pick<StoredKeySet, "version" | "keys" | "entryId">): Buffer {
  return createHmac("sha256", bindingKey)
    .update(canonicalJson([version, keys, entryId]))
    .digest();
}

export function createLedgerKeys(deps: LedgerKeysDeps): LedgerKeys {
  const { database, store, keys, ledger, external, origin = defaultOrigin, now, newId } = deps;
  const bindingKey = deps.masterKey.derive(keySetPurpose);
  const service = "service:remit";

  const codeOf = (row: Pick<StoredKeySet, "version" | "keys" | "entryId">): Buffer => keySetCode(bindingKey, row);

  async function sets(): Promise<{ sets: (StoredKeySet & { set: KeySet })[]; forged: string[] }> {
    const forged: string[] = [];
    const bound: (StoredKeySet & { set: KeySet })[] = [];
    for (const row of await store.sets()) {
      if (row.code.length === 32 && timingSafeEqual(row.code, codeOf(row)))
        bound.push({ ...row, set: setSchema.parse(JSON.parse(row.keys)) });
      else forged.push(row.entryId);
    }
    return { sets: bound, forged };
  }

  function read(vkey: string): NoteKey {
    const key = parseNoteKey(sha256, vkey);
    if (key === null || key.name !== origin) {
      throw new RemitError(
        "invalid-configuration",
        `This ledger's checkpoints are signed for ${key?.name ?? "another name"}, and the server is started for ${origin}: set REMIT_LEDGER_ORIGIN to the name it was begun with`,
      );
    }
    return key;
  }

  async function signerOf({ vkey, held }: HeldKey): Promise<Signer> {
    const key = read(vkey);
    if (held === "command") {
      if (external !== null && formatNoteKey(external.key) === vkey) return external;
      throw new RemitError(
        "invalid-configuration",
        `The ledger is signed by a program with the key ${vkey}, and no such program is configured: REMIT_LEDGER_SIGNER`,
      );
    }
    const { algorithm } = noteKeyTypes[key.type];
    const signer = localSigner(origin, key.type, (await keys.keyVersion(held.name, held.version, algorithm)).privateKey);
    if (formatNoteKey(signer.key) !== vkey)
      throw new RemitError("database-mismatch", `The stored key ${held.name} ${held.version} is not ${vkey}`);
    return signer;
  }

  async function sealedKey(transaction: Transaction, type: keyof typeof sealedNames): Promise<HeldKey> {
    const { name, algorithm } = sealedNames[type];
    const { version, key } = await keys.addVersion(transaction, name, algorithm);
    return { vkey: formatNoteKey(localSigner(origin, type, key.privateKey).key), held: { name, version } };
  }

  async function change(
    version: number,
    actor: string,
    why: string,
    decide: (transaction: Transaction) => Promise<KeySet>,
  ): Promise<boolean> {
    return database.transaction(async (transaction) => {
      const set = await decide(transaction);
      const entryId = newId("entry");
      const text = canonicalJson(set);
      const row = { version, keys: text, entryId };
      if (!(await store.add(transaction, { ...row, code: codeOf(row) }))) return false;
      const data = { origin, signing: set.signing.map(({ vkey }) => vkey), retired: set.retired.map(({ vkey }) => vkey), why };
      await ledger.append(transaction, [{ id: entryId, type: "ledger-keys-changed", at: now().toISOString(), actor, data }]);
      await store.fence(transaction);
      return true;
    });
  }

  /** What the configuration asks for and the set does not have. */
  function missing(set: KeySet): { external: Signer | null; postQuantum: boolean } {
    const has = (vkey: string): boolean => [...set.signing, ...set.retired].some((key) => key.vkey === vkey);
    return {
      external: external !== null && !has(formatNoteKey(external.key)) ? external : null,
      postQuantum: deps.postQuantum && !set.signing.some(({ vkey }) => read(vkey).type === "ml-dsa-44-cosignature"),
    };
  }

  async function view(): Promise<LedgerKeysView> {
    const { sets: rows } = await sets();
    const stated = ({ entryId, seq, at }: StoredKeySet) => ({ entryId, seq, at: at.toISOString() });
    const seen = new Map<string, LedgerKeysView["keys"][number]>();
    for (const row of rows) {
      for (const { vkey, held } of row.set.signing) {
        const type = read(vkey).type;
        if (!seen.has(vkey))
          seen.set(vkey, { vkey, type, state: "signing", held: held === "command" ? held : "sealed", since: stated(row), retired: null });
      }
      for (const { vkey } of row.set.retired) {
        const key = seen.get(vkey);
        if (key?.state === "signing") seen.set(vkey, { ...key, state: "retired", retired: stated(row) });
      }
    }
    return { origin, keys: [...seen.values()] };
  }

  async function mustChange(changed: Promise<boolean>): Promise<LedgerKeysView> {
    if (!(await changed)) throw new RemitError("conflict", "Somebody else changed the keys at the same moment; look again");
    return view();
  }

  return {
    async announce() {
      const { sets: rows } = await sets();
      const last = rows.at(-1);
      if (last === undefined) {
        // What has signed until now, or would have; a program takes its place from the first entry on where nothing was signed yet.
        await keys.signingKey("ledger", "Ed25519");
        const first = await keys.keyVersion("ledger", 1, "Ed25519");
        const sealed: HeldKey = {
          vkey: formatNoteKey(localSigner(origin, "ed25519", first.privateKey).key),
          held: { name: "ledger", version: 1 },
        };
        await change(1, service, "the ledger begins to state its keys", async (transaction) => ({
          signing: [
            sealed,
            ...(external === null ? [] : [{ vkey: formatNoteKey(external.key), held: "command" as const }]),
            ...(deps.postQuantum ? [await sealedKey(transaction, "ml-dsa-44-cosignature")] : []),
          ],
          retired: [],
        }));
        return;
      }
      const wanted = missing(last.set);
      if (wanted.external === null && !wanted.postQuantum) return;
      await change(last.version + 1, service, "a key was configured that did not sign yet", async (transaction) => ({
        signing: [
          ...last.set.signing,
          ...(wanted.external === null ? [] : [{ vkey: formatNoteKey(wanted.external.key), held: "command" as const }]),
          ...(wanted.postQuantum ? [await sealedKey(transaction, "ml-dsa-44-cosignature")] : []),
        ],
        retired: last.set.retired,
      }));
    },
    async signing() {
      const { sets: rows } = await sets();
      const last = rows.at(-1);
      if (last === undefined) throw new RemitError("ledger-unavailable", "The ledger's keys have not been stated yet");
      const signers = await Promise.all(last.set.signing.map(signerOf));
      return { signers, known: [...last.set.signing, ...last.set.retired].map(({ vkey }) => read(vkey)) };
    },
    async history() {
      const { sets: rows, forged } = await sets();
      const changes = rows.map(({ seq, set }) => ({
        // What waits for its place holds for no checkpoint yet.
        seq: seq ?? Number.MAX_SAFE_INTEGER,
        keys: { signing: set.signing.map(({ vkey }) => read(vkey)), retired: set.retired.map(({ vkey }) => read(vkey)) },
      }));
      const known = new Map(
        changes.flatMap(({ keys }) => [...keys.signing, ...keys.retired].map((key) => [formatNoteKey(key), key] as const)),
      );
      return { changes, known: [...known.values()], forged };
    },
    view,
    async begin(actor) {
      const last = (await sets()).sets.at(-1);
      if (last === undefined) throw new RemitError("ledger-unavailable", "The ledger's keys have not been stated yet");
      const types = last.set.signing.map(({ vkey }) => read(vkey).type);
      if (new Set(types).size !== types.length) {
        throw new RemitError("conflict", "Two keys sign already; let the old one go first: remit ledger rotate-key --finish");
      }
      const next = async (transaction: Transaction, { vkey }: HeldKey): Promise<HeldKey> => {
        const type = read(vkey).type;
        if (type === "ed25519-cosignature") throw new RemitError("internal", "A ledger does not sign as a witness");
        return sealedKey(transaction, type);
      };
      return mustChange(
        change(last.version + 1, actor, "the keys are replaced; old and new ones sign", async (transaction) => ({
          signing: [...last.set.signing, ...(await Promise.all(last.set.signing.map((key) => next(transaction, key))))],
          retired: last.set.retired,
        })),
      );
    },
    async finish(actor) {
      const last = (await sets()).sets.at(-1);
      const newest = new Map(last?.set.signing.map((key) => [read(key.vkey).type, key]) ?? []);
      const kept = [...newest.values()];
      if (last === undefined || kept.length === last.set.signing.length) {
        throw new RemitError("conflict", "No key is being replaced; begin with: remit ledger rotate-key");
      }
      const retired = last.set.signing.filter((key) => !kept.includes(key));
      return mustChange(
        change(last.version + 1, actor, "the keys have been replaced; only the new ones sign", async () => ({
          signing: kept,
          retired: [...last.set.retired, ...retired],
        })),
      );
    },
  };
}
