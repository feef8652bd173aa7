import type { SecretStore } from "./secret.store.ts";

type Row = { path: string; version: number; created_at: Date; created_by: string; destroy_at: Date | null };
type SealedRow = Row & { sealed: Buffer };

const columns = "path, version, created_at, created_by, destroy_at";

export const secretStore: SecretStore = {
  async nextVersion(transaction, path) {
    const [row] = await transaction.query<{ newest: number }>(
      "INSERT INTO secret (path, newest) VALUES ($1, 1) ON CONFLICT (path) DO UPDATE SET newest = secret.newest + 1 RETURNING newest",
      [path],
    );
    return row?.newest ?? 1;
  },
  async insert(transaction, { path, version, sealed, createdAt, createdBy }) {
    await transaction.query("INSERT INTO secret_version (path, version, sealed, created_at, created_by) VALUES ($1, $2, $3, $4, $5)", [
      path,
      version,
      sealed,
      createdAt.toISOString(),
      createdBy,
    ]);
  },
  async supersede(transaction, path, version, destroyAt) {
    // An overlap that ends sooner is not made longer.
    await transaction.query("UPDATE secret_version SET destroy_at = least(destroy_at, $3) WHERE path = $1 AND version < $2", [
      path,
      version,
      destroyAt.toISOString(),
    ]);
  },
  async remove(transaction, path) {
    return (await transaction.query("DELETE FROM secret_version WHERE path = $1 RETURNING version", [path])).length;
  },
  async destroyDue(on, at) {
    return (await on.query("DELETE FROM secret_version WHERE destroy_at <= $1 RETURNING version", [at.toISOString()])).length;
  },
  async newest(on, path) {
    const [row] = await on.query<SealedRow>(
      `SELECT ${columns}, sealed FROM secret_version WHERE path = $1 AND destroy_at IS NULL ORDER BY version DESC LIMIT 1`,
      [path],
    );
    return row === undefined ? null : { ...toVersion(row), sealed: row.sealed };
  },
  async newestOf(on, paths) {
    const rows = await on.query<{ path: string; version: number }>(
      "SELECT path, max(version) AS version FROM secret_version WHERE path = ANY ($1) AND destroy_at IS NULL GROUP BY path",
      [paths],
    );
    return new Map(rows.map(({ path, version }) => [path, version]));
  },
  async versions(on, path) {
    return (await on.query<Row>(`SELECT ${columns} FROM secret_version WHERE path = $1 ORDER BY version DESC`, [path])).map(toVersion);
  },
  async list(on, { after, limit }) {
    const rows = await on.query<Row>(
      `SELECT ${columns} FROM secret_version WHERE path IN (
         SELECT DISTINCT path FROM secret_version WHERE $1::text IS NULL OR path > $1 ORDER BY path LIMIT $2
       ) ORDER BY path, version DESC`,
      [after, limit],
    );
    return rows.map(toVersion);
  },
};

function toVersion(row: Row) {
  return { path: row.path, version: row.version, createdAt: row.created_at, createdBy: row.created_by, destroyAt: row.destroy_at };
}
