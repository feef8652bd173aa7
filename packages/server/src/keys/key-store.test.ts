import { sign, verify } from "node:crypto";
import { calculateJwkThumbprint, exportJWK } from "jose";
import { expect, test } from "vitest";
import { openTestDatabase } from "../database/testing.ts";
import { createKeyStore } from "./key-store.postgres.ts";
import { createMasterKey } from "./master-key.ts";

const masterKey = createMasterKey(Buffer.alloc(32, 1));

test.each(["Ed25519", "ES256"] as const)("a %s key is made once, however many servers ask at once", async (algorithm) => {
  await using test = await openTestDatabase();
  const keys = await Promise.all(
    Array.from({ length: 8 }, () => createKeyStore({ database: test.database, masterKey }).signingKey("ledger", algorithm)),
  );
  expect(new Set(keys.map((key) => key.kid)).size).toBe(1);
  const [first, second] = keys;
  if (first === undefined || second === undefined) throw new Error("no keys");
  const digest = algorithm === "ES256" ? "sha256" : null;
  const signature = sign(digest, Buffer.from("text"), first.privateKey);
  expect(verify(digest, Buffer.from("text"), second.publicKey, signature)).toBe(true);
  expect(first.kid).toBe(await calculateJwkThumbprint(await exportJWK(first.publicKey)));
});

test("another master key is refused in words, and so is a key for another algorithm", async () => {
  await using test = await openTestDatabase();
  await createKeyStore({ database: test.database, masterKey }).signingKey("tokens", "ES256");
  const other = createKeyStore({ database: test.database, masterKey: createMasterKey(Buffer.alloc(32, 2)) });
  await expect(other.signingKey("tokens", "ES256")).rejects.toMatchObject({
    code: "database-mismatch",
    message: expect.stringContaining("master key that this database is sealed with"),
  });
  await expect(createKeyStore({ database: test.database, masterKey }).signingKey("tokens", "Ed25519")).rejects.toMatchObject({
    code: "internal",
  });
});

test("a sealed key moved to another name, or given another public half, is refused", async () => {
  await using test = await openTestDatabase();
  const store = () => createKeyStore({ database: test.database, masterKey });
  await store().signingKey("tokens", "ES256");
  await store().signingKey("spare", "ES256");
  const copy = (column: string, from: string, to: string) =>
    test.superuser.query(
      `UPDATE signing_key SET ${column} = (SELECT ${column} FROM signing_key WHERE name = '${from}') WHERE name = '${to}'`,
    );
  await copy("public_key", "spare", "tokens");
  await expect(store().signingKey("tokens", "ES256")).rejects.toMatchObject({ code: "database-mismatch" });
  await copy("sealed", "tokens", "spare");
  await expect(store().signingKey("spare", "ES256")).rejects.toMatchObject({ code: "database-mismatch" });
});
