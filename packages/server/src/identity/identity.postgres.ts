import type { Id } from "@remit/contract";
import type { Database } from "../database/database.ts";
import type { IdentityStore, Revocation, StoredLink, StoredSecret, StoredSession } from "./identity.store.ts";

const secretColumns = `id, agent, created_at AS "createdAt", created_by AS "createdBy", expires_at AS "expiresAt",
  retired_at AS "retiredAt", last_used_at AS "lastUsedAt"`;
const linkColumns = `id, party, issued_by AS "issuedBy", issued_at AS "issuedAt", expires_at AS "expiresAt", used_at AS "usedAt"`;
const sessionColumns = `id, party, link_id AS "linkId", linked_by AS "linkedBy", started_at AS "startedAt", expires_at AS "expiresAt"`;

export function createIdentityStore(database: Database): IdentityStore {
  return {
    async addSecret(transaction, secret, hash) {
      await transaction.query(
        "INSERT INTO agent_secret (id, agent, secret_hash, created_at, created_by, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
        [secret.id, secret.agent, hash, secret.createdAt, secret.createdBy, secret.expiresAt],
      );
    },

    async liveSecrets(agent, at) {
      return database.query<{ id: Id<"secret">; hash: Buffer }>(
        "SELECT id, secret_hash AS hash FROM agent_secret WHERE agent = $1 AND retired_at IS NULL AND expires_at > $2",
        [agent, at],
      );
    },

    async listSecrets(agent) {
      return database.query<StoredSecret>(`SELECT ${secretColumns} FROM agent_secret WHERE agent = $1 ORDER BY id DESC LIMIT 100`, [agent]);
    },

    async retireSecret(transaction, agent, id, at) {
      const rows = await transaction.query(
        "UPDATE agent_secret SET retired_at = $3 WHERE agent = $1 AND id = $2 AND retired_at IS NULL RETURNING id",
        [agent, id, at],
      );
      return rows.length === 1;
    },

    async touchSecret(id, at) {
      await database.query(
        "UPDATE agent_secret SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2::timestamptz - interval '1 minute')",
        [id, at],
      );
    },

    async addRevocation(transaction, revocation) {
      await transaction.query(
        `INSERT INTO revocation (kind, name, revoked_at, forget_at, reason) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (kind, name) DO UPDATE SET
           revoked_at = greatest(revocation.revoked_at, excluded.revoked_at),
           forget_at = greatest(revocation.forget_at, excluded.forget_at)`,
        [revocation.kind, revocation.name, revocation.revokedAt, revocation.forgetAt, revocation.reason],
      );
      await transaction.query("DELETE FROM revocation WHERE forget_at < $1", [revocation.revokedAt]);
    },

    async revocations(at) {
      return database.query<Revocation>(
        `SELECT kind, name, revoked_at AS "revokedAt", forget_at AS "forgetAt", reason FROM revocation WHERE forget_at >= $1`,
        [at],
      );
    },

    async addLink(transaction, link, hash) {
      await transaction.query(
        "INSERT INTO login_link (id, token_hash, party, issued_by, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
        [link.id, hash, link.party, link.issuedBy, link.issuedAt, link.expiresAt],
      );
    },

    async findLink(hash) {
      const [link] = await database.query<StoredLink>(`SELECT ${linkColumns} FROM login_link WHERE token_hash = $1`, [hash]);
      return link ?? null;
    },

    async useLink(transaction, hash, at) {
      const [link] = await transaction.query<StoredLink>(
        `UPDATE login_link SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING ${linkColumns}`,
        [hash, at],
      );
      return link ?? null;
    },

    async addSession(transaction, session, hash) {
      await transaction.query(
        `INSERT INTO session (id, token_hash, party, link_id, linked_by, started_at, last_seen_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $7)`,
        [session.id, hash, session.party, session.linkId, session.linkedBy, session.startedAt, session.expiresAt],
      );
    },

    async liveSession(hash, at, idleSince) {
      const [session] = await database.query<StoredSession>(
        `SELECT ${sessionColumns} FROM session WHERE token_hash = $1 AND ended_at IS NULL AND expires_at > $2 AND last_seen_at > $3`,
        [hash, at, idleSince],
      );
      return session ?? null;
    },

    async touchSession(id, at) {
      await database.query("UPDATE session SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2::timestamptz - interval '1 minute'", [
        id,
        at,
      ]);
    },

    async endSession(transaction, hash, at) {
      const [session] = await transaction.query<StoredSession>(
        `UPDATE session SET ended_at = $2 WHERE token_hash = $1 AND ended_at IS NULL RETURNING ${sessionColumns}`,
        [hash, at],
      );
      return session ?? null;
    },
  };
}
