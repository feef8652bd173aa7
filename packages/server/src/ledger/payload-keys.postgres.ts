import { createSecretKey, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { RemitError } from "@remit/contract";
import type { Queryable } from "../database/database.ts";
import { doesNotOpen } from "../keys/master-key.ts";
import type { MasterKey } from "../keys/master-key.ts";
import { createDataSubjects } from "./data-subjects.ts";
import { heldKeyContext, payloadKeyContext, personPrefix, sealingKey } from "./payload-key-names.ts";
import type { HeldKey, PayloadKeys, Sealer } from "./payload-keys.ts";

type Row = { lookup: Buffer | null; subject: string; wrapped: Buffer };

const keyLength = 32;

export function createPayloadKeys(deps: { database: Queryable; masterKey: MasterKey; cacheSize?: number }): PayloadKeys {
  const { database, masterKey, cacheSize = 10_000 } = deps;
  const subjects = createDataSubjects(masterKey);
  /** Of committed rows only: a key that is rolled back must never seal anything that stays. */
  const cache = new Map<string, HeldKey>();
  /** Keys that take several to derive, by their references; of those very keys only, for one that was rolled back leaves its name behind. */
  const derived = new Map<string, { of: readonly HeldKey[]; sealing: ReturnType<Sealer> }>();
  /** Keys made in a transaction that has not ended. */
  const uncommitted = new WeakMap<Queryable, Map<string, HeldKey>>();
  /** Grows with each {@link PayloadKeys.forget}: what was asked for before is not remembered after. */
  let generation = 0;

  function remember(name: string, held: HeldKey, asOf: number): void {
    if (asOf !== generation) return;
    if (cache.size >= cacheSize) cache.clear();
    cache.set(name, held);
  }

  function unwrap(row: Pick<Row, "subject" | "wrapped">): KeyObject {
    const bytes = masterKey.open(row.wrapped, payloadKeyContext(row.subject));
    if (bytes === null) throw doesNotOpen("the key of a payload");
    return createSecretKey(bytes);
  }

  async function make(on: Queryable, names: readonly string[], found: Map<string, HeldKey>): Promise<void> {
    const made = names.map((name) => {
      const bytes = randomBytes(keyLength);
      const key = createSecretKey(bytes);
      const isPerson = subjects.isName(name);
      const id = isPerson ? `${personPrefix}${randomBytes(16).toString("hex")}` : name;
      return { name, id, key, isPerson, wrapped: masterKey.seal(bytes, payloadKeyContext(id)) };
    });
    const people = made.filter(({ isPerson }) => isPerson);
    // In one order, or two transactions could wait for each other's new subjects.
    const rows = await on.query<{ subject: string }>(makeSql, [
      made.map(({ id }) => id),
      made.map(({ wrapped }) => wrapped),
      people.map(({ name }) => subjects.lookup(name)),
      people.map(({ id }) => id),
      people.map(({ name, id, key }) => subjects.seal(key, id, name)),
    ]);
    const mine = new Set(rows.map((row) => row.subject));
    const own = uncommitted.get(on) ?? new Map<string, HeldKey>();
    if (on !== database) uncommitted.set(on, own);
    for (const { name, id, key } of made) {
      if (!mine.has(id)) continue;
      own.set(name, { id, key });
      found.set(name, { id, key });
    }
  }

  async function load(on: Queryable, names: readonly string[], found: Map<string, HeldKey>): Promise<void> {
    if (names.length === 0) return;
    const asOf = generation;
    const people = new Map(names.filter(subjects.isName).map((name) => [subjects.lookup(name).toString("hex"), name]));
    const plain = names.filter((name) => !subjects.isName(name));
    const rows =
      people.size === 0
        ? await on.query<Row>("SELECT NULL::bytea AS lookup, subject, wrapped FROM payload_key WHERE subject = ANY ($1)", [plain])
        : await on.query<Row>(loadSql, [plain, [...people.keys()].map((hex) => Buffer.from(hex, "hex"))]);
    for (const row of rows) {
      const name = row.lookup === null ? row.subject : people.get(row.lookup.toString("hex"));
      if (name === undefined) continue;
      const held = { id: row.subject, key: unwrap(row) };
      remember(name, held, asOf);
      found.set(name, held);
    }
  }

  function sealer(found: ReadonlyMap<string, HeldKey>): Sealer {
    const heldOf = (name: string): HeldKey => {
      const held = found.get(name);
      if (held === undefined) throw new RemitError("internal", "There is no key for a payload");
      return held;
    };
    return (names) => {
      let reference = "";
      for (const name of names) reference += reference === "" ? heldOf(name).id : ` ${heldOf(name).id}`;
      const known = derived.get(reference);
      if (known?.of.every(({ key }, index) => key === found.get(names[index] ?? "")?.key) === true) return known.sealing;
      const of = names.map(heldOf);
      const sealing = {
        reference,
        key: sealingKey(
          reference,
          of.map(({ key }) => key),
        ),
      };
      if (derived.size >= cacheSize) derived.clear();
      derived.set(reference, { of, sealing });
      return sealing;
    };
  }

  return {
    async forSealing(on, names) {
      const found = new Map<string, HeldKey>();
      const own = uncommitted.get(on);
      for (const name of names) {
        const held = cache.get(name) ?? own?.get(name);
        if (held !== undefined) found.set(name, held);
      }
      const missing = () => [...new Set(names)].filter((name) => !found.has(name));
      if (missing().length === 0) return sealer(found);
      await load(on, missing(), found);
      if (missing().length === 0) return sealer(found);
      await make(on, missing(), found);
      // Somebody else made these at the same moment, and has committed by now.
      await load(on, missing(), found);
      if (missing().length > 0) throw new RemitError("internal", "The key of a payload was stored and is not there");
      return sealer(found);
    },
    atHand(names) {
      for (const name of names) if (!cache.has(name)) return null;
      return sealer(cache);
    },
    async forOpening(reference, payload) {
      const ids = reference.split(" ");
      const rows = await database.query<Row>("SELECT NULL::bytea AS lookup, subject, wrapped FROM payload_key WHERE subject = ANY ($1)", [
        ids,
      ]);
      const keys = new Map(rows.map((row) => [row.subject, unwrap(row)]));
      const parts = ids.flatMap((id) => keys.get(id) ?? []);
      if (parts.length === ids.length) return sealingKey(reference, parts);
      if (payload === undefined || !reference.startsWith(personPrefix)) return null;
      const [held] = await database.query<{ wrapped: Buffer }>("SELECT wrapped FROM held_payload_key WHERE entry_id = $1 AND name = $2", [
        payload.entryId,
        payload.name,
      ]);
      if (held === undefined) return null;
      const bytes = masterKey.open(held.wrapped, heldKeyContext(payload.entryId, payload.name));
      if (bytes === null) throw doesNotOpen("the key of a payload that is held");
      return createSecretKey(bytes);
    },
    forget() {
      generation += 1;
      cache.clear();
      derived.clear();
    },
  };
}

/** Of people that somebody else makes known at the same moment, no key is left behind. */
const makeSql = `
WITH person AS (
  INSERT INTO data_subject (lookup, key_name, sealed)
  SELECT lookup, key_name, sealed FROM unnest($3::bytea[], $4::text[], $5::bytea[]) AS d (lookup, key_name, sealed)
  ORDER BY lookup ON CONFLICT (lookup) DO NOTHING RETURNING key_name
)
INSERT INTO payload_key (subject, wrapped) SELECT subject, wrapped FROM unnest($1::text[], $2::bytea[]) AS k (subject, wrapped)
WHERE NOT starts_with(subject, 'person:') OR subject IN (SELECT key_name FROM person)
ORDER BY subject ON CONFLICT (subject) DO NOTHING RETURNING subject`;

const loadSql = `
SELECT NULL::bytea AS lookup, subject, wrapped FROM payload_key WHERE subject = ANY ($1)
UNION ALL SELECT d.lookup, k.subject, k.wrapped FROM data_subject d JOIN payload_key k ON k.subject = d.key_name WHERE d.lookup = ANY ($2)`;
