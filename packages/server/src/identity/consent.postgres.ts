import type { Database } from "../database/database.ts";
import type { Consent, ConsentStore } from "./consent.store.ts";

const columns = `id, grant_id AS "grantId", client, client_name AS "clientName", party, agent, environment, policies,
  given_at AS "givenAt", expires_at AS "expiresAt", withdrawn_at AS "withdrawnAt"`;

export function createConsentStore(database: Database): ConsentStore {
  return {
    async add(transaction, consent) {
      const { id, grantId, client, clientName, party, agent, environment, policies, givenAt, expiresAt } = consent;
      await transaction.query(
        `INSERT INTO consent (id, grant_id, client, client_name, party, agent, environment, policies, given_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
        [id, grantId, client, clientName, party, agent, environment, policies, givenAt, expiresAt],
      );
    },

    async find(id) {
      const [row] = await database.query<Consent>(`SELECT ${columns} FROM consent WHERE id = $1`, [id]);
      return row ?? null;
    },

    async findByGrant(grantId) {
      const [row] = await database.query<Consent>(`SELECT ${columns} FROM consent WHERE grant_id = $1`, [grantId]);
      return row ?? null;
    },

    async isKnown(client, at) {
      const rows = await database.query("SELECT 1 FROM consent WHERE client = $1 AND withdrawn_at IS NULL AND expires_at > $2 LIMIT 1", [
        client,
        at,
      ]);
      return rows.length === 1;
    },

    async list(party) {
      return database.query<Consent>(`SELECT ${columns} FROM consent WHERE $1::text IS NULL OR party = $1 ORDER BY id DESC LIMIT 200`, [
        party,
      ]);
    },

    async withdraw(transaction, id, at) {
      const rows = await transaction.query("UPDATE consent SET withdrawn_at = $2 WHERE id = $1 AND withdrawn_at IS NULL RETURNING id", [
        id,
        at,
      ]);
      return rows.length === 1;
    },
  };
}
