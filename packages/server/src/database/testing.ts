import { createHash, randomBytes } from "node:crypto";
import { connect } from "node:net";
import { Client } from "pg";
import type { Database, Queryable } from "./database.ts";
import { openDatabase } from "./database.postgres.ts";
import { migrate, readMigrations } from "./migrate.ts";
import { clusterVariable } from "./test-cluster.ts";

export type TestDatabase = AsyncDisposable & {
  /** As the application: role remit_app. */
  database: Database;
  /** As the owner of the schema, a superuser. */
  superuser: Queryable;
  /** What a server under test is given as its DATABASE_URL: the owner's login. */
  url: string;
};

/** A migrated database of the test's own, on a real PostgreSQL; dropped at the end of the `await using` block. */
export async function openTestDatabase({ poolSize = 16 }: { poolSize?: number } = {}): Promise<TestDatabase> {
  const cluster = await clusterUrl();
  const template = await (templateReady ??= makeTemplate(cluster));
  const name = `remit_test_${randomBytes(8).toString("hex")}`;
  await administer(cluster, (client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`));
  const url = withDatabase(cluster, name);
  const database = openDatabase({ url, poolSize });
  const superuser = openDatabase({ url, poolSize: 2, role: null });
  return {
    database,
    superuser,
    url,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([database.close(), superuser.close()]);
      // FORCE: a server that a test killed may have left connections behind.
      await administer(cluster, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}

/** An empty database of the test's own, for tests of migrating itself. */
export async function openEmptyDatabase(): Promise<AsyncDisposable & { url: string }> {
  const cluster = await clusterUrl();
  const name = `remit_test_${randomBytes(8).toString("hex")}`;
  await administer(cluster, (client) => client.query(`CREATE DATABASE ${name}`));
  return {
    url: withDatabase(cluster, name),
    [Symbol.asyncDispose]: async () => {
      await administer(cluster, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}

let templateReady: Promise<string> | undefined;

/** Named after the migrations that made it: other migrations, another template. */
async function makeTemplate(cluster: string): Promise<string> {
  const migrations = await readMigrations();
  const hash = createHash("sha256").update(migrations.map((migration) => `${migration.name} ${migration.sha256}\n`).join(""));
  const name = `remit_template_${hash.digest("hex").slice(0, 16)}`;
  await administer(cluster, async (client) => {
    // Workers of one run start at the same moment; one makes the template, the others wait here.
    await client.query("SELECT pg_advisory_lock(hashtext('remit_template'))");
    const existing = await client.query("SELECT FROM pg_database WHERE datname = $1", [name]);
    if (existing.rowCount !== 0) return;
    await client.query(`DROP DATABASE IF EXISTS ${name}_new WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${name}_new`);
    await migrate({ url: withDatabase(cluster, `${name}_new`) });
    await client.query(`ALTER DATABASE ${name}_new RENAME TO ${name}`);
    await client.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
  });
  return name;
}

let clusterUrlReady: Promise<string> | undefined;

function clusterUrl(): Promise<string> {
  return (clusterUrlReady ??= askForCluster());
}

async function askForCluster(): Promise<string> {
  const given = process.env["REMIT_TEST_DATABASE_URL"];
  if (given !== undefined) return given;
  const ask = process.env[clusterVariable];
  if (ask === undefined) throw new Error("openTestDatabase works under vitest, or with REMIT_TEST_DATABASE_URL naming a PostgreSQL");
  let answer = "";
  for await (const chunk of connect(ask).setEncoding("utf8")) answer += String(chunk);
  if (!answer.startsWith("postgres")) throw new Error(answer);
  return answer;
}

function withDatabase(cluster: string, name: string): string {
  const url = new URL(cluster);
  url.pathname = `/${name}`;
  return url.toString();
}

async function administer<Result>(cluster: string, work: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ connectionString: cluster });
  client.on("error", () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
