import type { Queryable } from "../database/database.ts";
import type { GrantKey, GrantStore, StoredConsent, StoredGrant } from "./grant.store.ts";

type Row = {
  credential: string;
  upstream: string;
  person: string;
  state: StoredGrant["state"];
  version: number;
  sealed: Buffer | null;
  expires_at: Date | null;
  reason: string | null;
  wanted: string[];
  resource_metadata: string | null;
  connected_by: string | null;
  connected_at: Date | null;
  refreshed_at: Date | null;
};
type ConsentRow = { credential: string; upstream: string; person: string; started_by: string; sealed: Buffer; expires_at: Date };

const columns = `credential, upstream, person, state, version, sealed, expires_at, reason, wanted, resource_metadata, connected_by,
  connected_at, refreshed_at`;
const consentColumns = "credential, upstream, person, started_by, sealed, expires_at";
const isKey = "credential = $1 AND upstream = $2 AND person = $3";

export const grantStore: GrantStore = {
  read: (on, key) => one(on, `SELECT ${columns} FROM credential_grant WHERE ${isKey}`, key),
  lock: (transaction, key) => one(transaction, `SELECT ${columns} FROM credential_grant WHERE ${isKey} FOR UPDATE`, key),
  async ensure(on, key) {
    await on.query(
      "INSERT INTO credential_grant (credential, upstream, person, state) VALUES ($1, $2, $3, 'wanted') ON CONFLICT DO NOTHING",
      valuesOf(key),
    );
  },
  async save(on, grant) {
    await on.query(
      `INSERT INTO credential_grant (${columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
       ON CONFLICT (credential, upstream, person) DO UPDATE SET state = excluded.state, version = excluded.version, sealed = excluded.sealed,
         expires_at = excluded.expires_at, reason = excluded.reason, wanted = excluded.wanted,
         resource_metadata = excluded.resource_metadata, connected_by = excluded.connected_by, connected_at = excluded.connected_at,
         refreshed_at = excluded.refreshed_at`,
      [
        ...valuesOf(grant),
        grant.state,
        grant.version,
        grant.sealed,
        grant.expiresAt?.toISOString() ?? null,
        grant.reason,
        grant.wanted,
        grant.resourceMetadata,
        grant.connectedBy,
        grant.connectedAt?.toISOString() ?? null,
        grant.refreshedAt?.toISOString() ?? null,
      ],
    );
  },
  async remove(transaction, key) {
    const rows = await transaction.query(`DELETE FROM credential_grant WHERE ${isKey} RETURNING person`, valuesOf(key));
    return rows.length > 0;
  },
  async ofCredential(on, credential, upstream) {
    const rows = await on.query<Row>(
      `SELECT ${columns} FROM credential_grant WHERE credential = $1 AND upstream = $2 AND state = 'connected' ORDER BY connected_at`,
      [credential, upstream],
    );
    return rows.map(toGrant);
  },
  versions: (on, keys) =>
    on.query<GrantKey & { version: number }>(
      `SELECT credential, upstream, person, version FROM credential_grant
       WHERE (credential, upstream, person) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))`,
      [keys.map(({ credential }) => credential), keys.map(({ upstream }) => upstream), keys.map(({ person }) => person)],
    ),
  list: async (on) => (await on.query<Row>(`SELECT ${columns} FROM credential_grant ORDER BY upstream, credential, person`)).map(toGrant),
  async addConsent(on, stateHash, consent) {
    await on.query(`INSERT INTO credential_consent (state_hash, ${consentColumns}) VALUES ($1, $2, $3, $4, $5, $6, $7)`, [
      stateHash,
      ...valuesOf(consent),
      consent.startedBy,
      consent.sealed,
      consent.expiresAt.toISOString(),
    ]);
  },
  async readConsent(on, stateHash) {
    const [row] = await on.query<ConsentRow>(`SELECT ${consentColumns} FROM credential_consent WHERE state_hash = $1`, [stateHash]);
    return row === undefined ? null : toConsent(row);
  },
  async takeConsent(on, stateHash) {
    const [row] = await on.query<ConsentRow>(`DELETE FROM credential_consent WHERE state_hash = $1 RETURNING ${consentColumns}`, [
      stateHash,
    ]);
    return row === undefined ? null : toConsent(row);
  },
  async forgetConsents(on, at) {
    await on.query("DELETE FROM credential_consent WHERE expires_at <= $1", [at.toISOString()]);
  },
  async readClient(on, { credential, issuer, redirectUri }) {
    const [row] = await on.query<{ sealed: Buffer }>(
      "SELECT sealed FROM credential_client WHERE credential = $1 AND issuer = $2 AND redirect_uri = $3",
      [credential, issuer, redirectUri],
    );
    return row?.sealed ?? null;
  },
  async saveClient(on, { credential, issuer, redirectUri }, sealed, at) {
    await on.query(
      `INSERT INTO credential_client (credential, issuer, redirect_uri, sealed, registered_at) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (credential, issuer, redirect_uri) DO UPDATE SET sealed = excluded.sealed, registered_at = excluded.registered_at`,
      [credential, issuer, redirectUri, sealed, at.toISOString()],
    );
  },
};

async function one(on: Queryable, sql: string, key: GrantKey): Promise<StoredGrant | null> {
  const [row] = await on.query<Row>(sql, valuesOf(key));
  return row === undefined ? null : toGrant(row);
}

function valuesOf({ credential, upstream, person }: GrantKey): [string, string, string] {
  return [credential, upstream, person];
}

function toGrant(row: Row): StoredGrant {
  const { credential, upstream, person, state, version, sealed, reason, wanted } = row;
  return {
    credential,
    upstream,
    person,
    state,
    version,
    sealed,
    reason,
    wanted,
    expiresAt: row.expires_at,
    resourceMetadata: row.resource_metadata,
    connectedBy: row.connected_by,
    connectedAt: row.connected_at,
    refreshedAt: row.refreshed_at,
  };
}

function toConsent(row: ConsentRow): StoredConsent {
  const { credential, upstream, person, sealed } = row;
  return { credential, upstream, person, sealed, startedBy: row.started_by, expiresAt: row.expires_at };
}
