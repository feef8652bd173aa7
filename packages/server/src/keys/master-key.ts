import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { link, mkdir, open, readFile, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { RemitError } from "@remit/contract";

/** The key that seals every other key (the key-encryption key). It does not hand out its bytes. */
export type MasterKey = {
  /** AES-256-GCM. `context` says what it is, and opens nothing else. */
  seal(plain: Uint8Array, context: string): Buffer;
  /** Null when this key, or this context, did not seal it. */
  open(sealed: Uint8Array, context: string): Buffer | null;
  /** A key of 32 bytes for one purpose, from which nobody gets back to this one. The same on every server, and stored nowhere. */
  derive(purpose: string): KeyObject;
};

export const masterKeyVariable = "REMIT_MASTER_KEY";
export const masterKeyFile = "master.key";

const keyLength = 32;
const nonceLength = 12;
const tagLength = 16;

export function createMasterKey(bytes: Uint8Array): MasterKey {
  const key = createSecretKey(bytes);
  return {
    seal(plain, context) {
      const nonce = randomBytes(nonceLength);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context));
      return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed, context) {
      if (sealed.length < nonceLength + tagLength) return null;
      const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, nonceLength), { authTagLength: tagLength });
      decipher.setAAD(Buffer.from(context)).setAuthTag(sealed.subarray(-tagLength));
      try {
        return Buffer.concat([decipher.update(sealed.subarray(nonceLength, -tagLength)), decipher.final()]);
      } catch {
        return null;
      }
    },
    derive: (purpose) => createSecretKey(new Uint8Array(hkdfSync("sha256", key, "", `remit ${purpose} v1`, keyLength))),
  };
}

/**
 * The master key of this installation: from the environment, else from the data folder, where the first start makes it.
 * @throws RemitError `invalid-configuration`, saying what to do.
 */
export async function loadMasterKey(from: {
  environment: Readonly<Record<string, string | undefined>>;
  dataDirectory: string;
}): Promise<MasterKey> {
  return (await readMasterKey(from)) ?? makeMasterKey(from.dataDirectory, masterKeyFile);
}

/** The same, where there is one. @throws RemitError `invalid-configuration` */
export async function readMasterKey(from: {
  environment: Readonly<Record<string, string | undefined>>;
  dataDirectory: string;
}): Promise<MasterKey | null> {
  const given = from.environment[masterKeyVariable];
  if (given !== undefined && given !== "") return parseMasterKey(given, masterKeyVariable);
  const file = join(from.dataDirectory, masterKeyFile);
  const text = await readExisting(file);
  return text === null ? null : createMasterKey(parse(text, `The file ${file}`));
}

/** From a variable of the environment. @throws RemitError `invalid-configuration` */
export function parseMasterKey(text: string, variable: string): MasterKey {
  return createMasterKey(parse(text, `The variable ${variable}`));
}

/** The key in a file of the data folder, made where there is none. */
export async function makeMasterKey(folder: string, name: string): Promise<MasterKey> {
  const file = join(folder, name);
  const text = (await readExisting(file)) ?? (await create(file, folder));
  return createMasterKey(parse(text, `The file ${file}`));
}

async function readExisting(file: string): Promise<string | null> {
  try {
    const { mode } = await stat(file);
    if (process.platform !== "win32" && (mode & 0o077) !== 0) {
      throw refuse(
        `Others on this machine may read or change ${file}, which opens every stored secret. ` +
          `If nobody has, run: chmod 600 ${file} (its mode is ${(mode & 0o777).toString(8)})`,
      );
    }
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    if (RemitError.is(error)) throw error;
    throw new RemitError("invalid-configuration", `The master key ${file} cannot be read`, { cause: error });
  }
}

/** Written aside, then linked: two first starts end with one key, and a crash never leaves half of one. */
async function create(file: string, folder: string): Promise<string> {
  const aside = `${file}.${randomBytes(8).toString("hex")}`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const handle = await open(aside, "wx", 0o600);
  try {
    await handle.writeFile(`${randomBytes(keyLength).toString("base64")}\n`);
    await handle.sync();
    await link(aside, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  } finally {
    await handle.close();
    await unlink(aside);
  }
  const directory = await open(folder, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
  return (await readExisting(file)) ?? "";
}

function parse(text: string, where: string): Buffer {
  const bytes = Buffer.from(text.trim(), "base64");
  if (bytes.length !== keyLength || bytes.toString("base64") !== text.trim()) {
    throw refuse(`${where} must hold ${keyLength} bytes in base64; make one with: openssl rand -base64 ${keyLength}`);
  }
  return bytes;
}

/** The error for whatever the master key should have opened and did not. */
export function doesNotOpen(what: string): RemitError {
  return new RemitError(
    "database-mismatch",
    `The master key does not open ${what} in this database. Start with the master key that this database is sealed with, in REMIT_MASTER_KEY ` +
      "or as master.key in the data folder: the newest, or for a backup the one of its time. Without it nothing that was sealed can be read " +
      "again. Where replacing it was cut short, do it once more: remit master-key rotate",
  );
}

function refuse(message: string): RemitError {
  return new RemitError("invalid-configuration", message, { issues: [{ message }] });
}
