import type { JsonObject } from "@remit/contract";
import type { Database } from "../database/database.ts";
import type { OAuthRecords } from "./oauth-records.ts";

export function createOAuthRecords(database: Database): OAuthRecords {
  return {
    async put({ model, key, payload, grantId, expiresAt }) {
      await database.query(
        `INSERT INTO oauth_record (model, key, payload, grant_id, expires_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (model, key) DO UPDATE SET payload = excluded.payload, expires_at = excluded.expires_at`,
        [model, key, JSON.stringify(payload), grantId, expiresAt],
      );
      await database.query("DELETE FROM oauth_record WHERE expires_at < now() - interval '1 hour'");
    },

    async find(model, key, at) {
      const [row] = await database.query<{ payload: JsonObject; consumedAt: Date | null }>(
        `SELECT payload, consumed_at AS "consumedAt" FROM oauth_record WHERE model = $1 AND key = $2 AND expires_at > $3`,
        [model, key, at],
      );
      return row ?? null;
    },

    async consume(model, key, at) {
      const rows = await database.query(
        "UPDATE oauth_record SET consumed_at = $3 WHERE model = $1 AND key = $2 AND consumed_at IS NULL RETURNING model",
        [model, key, at],
      );
      return rows.length === 1;
    },

    async remove(model, key) {
      await database.query("DELETE FROM oauth_record WHERE model = $1 AND key = $2", [model, key]);
    },

    async removeGrant(grantId) {
      await database.query("DELETE FROM oauth_record WHERE grant_id = $1", [grantId]);
    },
  };
}
