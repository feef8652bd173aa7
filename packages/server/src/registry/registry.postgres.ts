import type { JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { canonicalJson } from "@remit/core";
import type { AssetVersion, ToolHead, ToolPin } from "@remit/core";
import type { Queryable, Transaction } from "../database/database.ts";
import type { RegistryStore, StoredRegistry } from "./registry.store.ts";

export const registryStore: RegistryStore = {
  async generation(database) {
    const [row] = await database.query<{ generation: string }>({
      name: "registry-generation",
      text: "SELECT generation FROM registry_head",
    });
    return Number(found(row).generation);
  },

  load,

  async lock(transaction) {
    const [row] = await transaction.query<{ generation: string }>("SELECT generation FROM registry_head FOR UPDATE");
    return Number(found(row).generation);
  },

  async addVersions(transaction, versions) {
    await transaction.query(
      `INSERT INTO asset_version (kind, name, digest, content)
       SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
       ON CONFLICT DO NOTHING`,
      [
        versions.map(({ kind }) => kind),
        versions.map(({ name }) => name),
        versions.map(({ digest }) => digest),
        versions.map(({ content }) => content),
      ],
    );
  },

  async addRevision(transaction, revision) {
    await transaction.query(
      `INSERT INTO registry_revision (number, digest, plan, versions, applied_by, applied_at) VALUES ($1, $2, $3, $4, $5, $6)`,
      [
        revision.number,
        revision.digest,
        revision.plan,
        JSON.stringify(revision.versions.map(({ kind, name, digest }) => [kind, name, digest])),
        revision.appliedBy,
        revision.appliedAt,
      ],
    );
    await transaction.query("UPDATE registry_head SET revision = $1", [revision.number]);
  },

  async setHeads(transaction, heads, options = { only: false }) {
    await addPins(
      transaction,
      [...heads.values()].flatMap(({ pin, offered }) => [pin, offered]).filter((pin) => pin !== null),
    );
    const entries = [...heads];
    if (options.only) await transaction.query("DELETE FROM tool_head WHERE qualified_name <> ALL ($1::text[])", [[...heads.keys()]]);
    await transaction.query(
      `INSERT INTO tool_head (qualified_name, pin, offered, refusal)
       SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
       ON CONFLICT (qualified_name) DO UPDATE SET pin = EXCLUDED.pin, offered = EXCLUDED.offered, refusal = EXCLUDED.refusal`,
      [
        entries.map(([name]) => name),
        entries.map(([, head]) => head.pin?.digest ?? null),
        entries.map(([, head]) => head.offered?.digest ?? null),
        entries.map(([, head]) => head.refusal),
      ],
    );
  },

  async advance(transaction) {
    await transaction.query("UPDATE registry_head SET generation = generation + 1");
  },
};

type HeadRow = {
  generation: string;
  number: string | null;
  digest: string | null;
  versions: [string, string, string][] | null;
  applied_by: string | null;
  applied_at: Date | null;
  tools: { name: string; pin: string | null; offered: string | null; refusal: string | null }[];
};

/** What changes is read in one statement, so that it is of one moment; what it points to never changes. */
async function load(database: Queryable): Promise<StoredRegistry> {
  const [row] = await database.query<HeadRow>(
    `SELECT h.generation, r.number, r.digest, r.versions, r.applied_by, r.applied_at,
            (SELECT coalesce(json_agg(json_build_object('name', qualified_name, 'pin', pin, 'offered', offered, 'refusal', refusal)), '[]')
             FROM tool_head) AS tools
     FROM registry_head h LEFT JOIN registry_revision r ON r.number = h.revision`,
  );
  const head = found(row);
  const { number, digest, versions, applied_by: appliedBy, applied_at: appliedAt } = head;
  const generation = Number(head.generation);
  if (number === null || digest === null || versions === null || appliedBy === null || appliedAt === null) {
    return { generation, revision: null, versions: [], heads: new Map() };
  }
  const pins = await loadPins(
    database,
    head.tools.flatMap((tool) => [tool.pin, tool.offered]).filter((pin) => pin !== null),
  );
  const pinOf = (name: string | null) => (name === null ? null : (pins.get(name) ?? null));
  return {
    generation,
    revision: { number: Number(number), digest, appliedBy, appliedAt },
    versions: await loadVersions(database, versions),
    heads: new Map(
      head.tools.map(({ name, pin, offered, refusal }): [string, ToolHead] => [
        name,
        { pin: pinOf(pin), offered: pinOf(offered), refusal },
      ]),
    ),
  };
}

export async function loadVersions(database: Queryable, wanted: readonly [string, string, string][]): Promise<AssetVersion[]> {
  const versions = await database.query<AssetVersion>(
    `SELECT v.kind, v.name, v.digest, v.content
     FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (kind, name, digest)
     JOIN asset_version v USING (kind, name, digest)`,
    [wanted.map(([kind]) => kind), wanted.map(([, name]) => name), wanted.map(([, , digest]) => digest)],
  );
  if (versions.length !== wanted.length)
    throw new RemitError("internal", "versions of the registry in force are missing from the database");
  return versions;
}

async function loadPins(database: Queryable, digests: readonly string[]): Promise<Map<string, ToolPin>> {
  const rows = await database.query<{ digest: string; description: string; input_schema: string; output_schema: string | null }>(
    "SELECT digest, description, input_schema, output_schema FROM tool_pin WHERE digest = ANY ($1::text[])",
    [digests],
  );
  return new Map(
    rows.map((row) => [
      row.digest,
      {
        digest: row.digest,
        description: JSON.parse(row.description) as string,
        inputSchema: JSON.parse(row.input_schema) as JsonObject,
        outputSchema: row.output_schema === null ? null : (JSON.parse(row.output_schema) as JsonObject),
      },
    ]),
  );
}

async function addPins(transaction: Transaction, pins: readonly ToolPin[]): Promise<void> {
  await transaction.query(
    `INSERT INTO tool_pin (digest, description, input_schema, output_schema)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
     ON CONFLICT DO NOTHING`,
    [
      pins.map(({ digest }) => digest),
      pins.map(({ description }) => canonicalJson(description)),
      pins.map(({ inputSchema }) => canonicalJson(inputSchema)),
      pins.map(({ outputSchema }) => (outputSchema === null ? null : canonicalJson(outputSchema))),
    ],
  );
}

function found<Row>(row: Row | undefined): Row {
  if (row === undefined) throw new RemitError("internal", "the row of registry_head is missing; restore the database");
  return row;
}
