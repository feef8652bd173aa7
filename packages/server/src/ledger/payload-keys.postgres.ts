import { createSecretKey, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { RemitError } from "@remit/contract";
import type { Queryable } from "../database/database.ts";
import { doesNotOpen } from "../keys/master-key.ts";
import type { MasterKey } from "../keys/master-key.ts";
import type { PayloadKeys } from "./payload-keys.ts";

type Row = { subject: string; wrapped: Buffer };

const keyLength = 32;

export function createPayloadKeys(deps: { database: Queryable; masterKey: MasterKey; cacheSize?: number }): PayloadKeys {
  const { database, masterKey, cacheSize = 10_000 } = deps;
  /** Of committed rows only: a key that is rolled back must never seal anything that stays. */
  const cache = new Map<string, KeyObject>();
  /** Keys made in a transaction that has not ended. */
  const uncommitted = new WeakMap<Queryable, Map<string, KeyObject>>();

  function remember(subject: string, key: KeyObject): void {
    if (cache.size >= cacheSize) cache.clear();
    cache.set(subject, key);
  }

  function unwrap(row: Row): KeyObject {
    const bytes = masterKey.open(row.wrapped, context(row.subject));
    if (bytes === null) throw doesNotOpen("the key of a payload");
    return createSecretKey(bytes);
  }

  async function make(on: Queryable, subjects: readonly string[], found: Map<string, KeyObject>): Promise<void> {
    const bytes = subjects.map(() => randomBytes(keyLength));
    const wrapped = subjects.map((subject, index) => masterKey.seal(bytes[index] ?? Buffer.alloc(0), context(subject)));
    // In one order, or two transactions could wait for each other's new subjects.
    const made = await on.query<{ subject: string }>(
      `INSERT INTO payload_key (subject, wrapped) SELECT subject, wrapped FROM unnest($1::text[], $2::bytea[]) AS k (subject, wrapped)
       ORDER BY subject ON CONFLICT (subject) DO NOTHING RETURNING subject`,
      [subjects, wrapped],
    );
    const mine = new Set(made.map((row) => row.subject));
    const own = uncommitted.get(on) ?? new Map<string, KeyObject>();
    if (on !== database) uncommitted.set(on, own);
    subjects.forEach((subject, index) => {
      if (!mine.has(subject)) return;
      const key = createSecretKey(bytes[index] ?? Buffer.alloc(0));
      own.set(subject, key);
      found.set(subject, key);
    });
  }

  async function load(on: Queryable, subjects: readonly string[], found: Map<string, KeyObject>): Promise<void> {
    if (subjects.length === 0) return;
    const rows = await on.query<Row>("SELECT subject, wrapped FROM payload_key WHERE subject = ANY ($1)", [subjects]);
    for (const row of rows) {
      const key = unwrap(row);
      remember(row.subject, key);
      found.set(row.subject, key);
    }
  }

  return {
    async forSealing(on, subjects) {
      const found = new Map<string, KeyObject>();
      const own = uncommitted.get(on);
      for (const subject of subjects) {
        const key = cache.get(subject) ?? own?.get(subject);
        if (key !== undefined) found.set(subject, key);
      }
      const missing = () => [...new Set(subjects)].filter((subject) => !found.has(subject));
      if (missing().length === 0) return found;
      await load(on, missing(), found);
      if (missing().length === 0) return found;
      await make(on, missing(), found);
      // Somebody else made these at the same moment, and has committed by now.
      await load(on, missing(), found);
      if (missing().length > 0) throw new RemitError("internal", "The key of a payload was stored and is not there");
      return found;
    },
    atHand(subjects) {
      const found = new Map<string, KeyObject>();
      for (const subject of subjects) {
        const key = cache.get(subject);
        if (key === undefined) return null;
        found.set(subject, key);
      }
      return found;
    },
    async forOpening(subject) {
      const [row] = await database.query<Row>("SELECT subject, wrapped FROM payload_key WHERE subject = $1", [subject]);
      return row === undefined ? null : unwrap(row);
    },
  };
}

function context(subject: string): string {
  return `payload-key ${subject}`;
}
