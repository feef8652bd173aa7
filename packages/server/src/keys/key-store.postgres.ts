import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { RemitError } from "@remit/contract";
import { canonicalJson } from "@remit/core";
import type { Queryable } from "../database/database.ts";
import { signingKeyContext } from "./key-store.ts";
import type { KeyStore, SigningAlgorithm, SigningKey } from "./key-store.ts";
import { doesNotOpen } from "./master-key.ts";
import type { MasterKey } from "./master-key.ts";

type Row = { version: number; alg: string; kid: string; public_key: Buffer; sealed: Buffer };

export function createKeyStore({ database, masterKey }: { database: Queryable; masterKey: MasterKey }): KeyStore {
  const loaded = new Map<string, Promise<SigningKey>>();

  const load = async (name: string, algorithm: SigningAlgorithm): Promise<SigningKey> =>
    opened(name, algorithm, (await newest(database, name)) ?? (await make(database, masterKey, name, algorithm, 1)));

  function opened(name: string, algorithm: SigningAlgorithm, row: Row): SigningKey {
    if (row.alg !== algorithm) {
      throw new RemitError("internal", `The signing key "${name}" is for ${row.alg}, and was asked for ${algorithm}`);
    }
    const bytes = masterKey.open(row.sealed, signingKeyContext(name, row.version));
    if (bytes === null) throw doesNotOpen(`the signing key "${name}"`);
    const privateKey = createPrivateKey({ key: bytes, format: "der", type: "pkcs8" });
    const publicKey = createPublicKey(privateKey);
    if (thumbprint(publicKey) !== row.kid || !spki(publicKey).equals(row.public_key)) {
      throw new RemitError("database-mismatch", `The stored public half of the signing key "${name}" is not that of its private half`);
    }
    return { kid: row.kid, privateKey, publicKey };
  }

  return {
    signingKey(name, algorithm) {
      const wanted = `${name} ${algorithm}`;
      const key = loaded.get(wanted) ?? load(name, algorithm);
      loaded.set(wanted, key);
      // A failure is not kept: the database may have been down.
      key.catch(() => loaded.delete(wanted));
      return key;
    },
    async keyVersion(name, version, algorithm) {
      const [row] = await database.query<Row>(
        "SELECT version, alg, kid, public_key, sealed FROM signing_key WHERE name = $1 AND version = $2",
        [name, version],
      );
      if (row === undefined) throw new RemitError("not-found", `There is no version ${version} of the signing key "${name}"`);
      return opened(name, algorithm, row);
    },
    async addVersion(transaction, name, algorithm) {
      const version = ((await newest(transaction, name))?.version ?? 0) + 1;
      const row = await make(transaction, masterKey, name, algorithm, version);
      // Whoever asks for the newest from here on is not given the one before it.
      loaded.delete(`${name} ${algorithm}`);
      return { version, key: opened(name, algorithm, row) };
    },
  };
}

async function newest(database: Queryable, name: string): Promise<Row | null> {
  const [row] = await database.query<Row>(
    "SELECT version, alg, kid, public_key, sealed FROM signing_key WHERE name = $1 ORDER BY version DESC LIMIT 1",
    [name],
  );
  return row ?? null;
}

/** Two servers may make one each; the first to commit has made the key, and both read it back. */
async function make(database: Queryable, masterKey: MasterKey, name: string, algorithm: SigningAlgorithm, version: number): Promise<Row> {
  const { privateKey, publicKey } = generate(algorithm);
  const sealed = masterKey.seal(privateKey.export({ type: "pkcs8", format: "der" }), signingKeyContext(name, version));
  await database.query(
    `INSERT INTO signing_key (name, version, alg, kid, public_key, sealed) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (name, version) DO NOTHING`,
    [name, version, algorithm, thumbprint(publicKey), spki(publicKey), sealed],
  );
  const row = await newest(database, name);
  if (row === null) throw new RemitError("internal", `The signing key "${name}" was stored and is not there`);
  return row;
}

function generate(algorithm: SigningAlgorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  if (algorithm === "Ed25519") return generateKeyPairSync("ed25519");
  return algorithm === "ML-DSA-44" ? generateKeyPairSync("ml-dsa-44") : generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function spki(key: KeyObject): Buffer {
  return key.export({ type: "spki", format: "der" });
}

function thumbprint(key: KeyObject): string {
  if (key.asymmetricKeyType === "ml-dsa-44") return createHash("sha256").update(spki(key)).digest("base64url");
  const { crv = "", kty = "", x = "", y } = key.export({ format: "jwk" });
  return createHash("sha256")
    .update(canonicalJson(y === undefined ? { crv, kty, x } : { crv, kty, x, y }))
    .digest("base64url");
}
