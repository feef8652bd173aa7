import { Buffer } from "node:buffer";
import { bundleFiles, rangePredicateType, statementPayloadType, statementType } from "@remit/contract";
import type { BundleManifest, Json, JsonObject } from "@remit/contract";
import { canonicalJson, dssePreAuthentication } from "@remit/core";
import type { NoteKey } from "@remit/core";
import type { BundleFiles } from "./bundle-files.ts";
import { noteCrypto } from "./crypto.ts";
import { Refusal, shown } from "./problems.ts";
import type { Problems } from "./problems.ts";
import { bytesOf, listOf, membersOf, textOf } from "./shapes.ts";
import { jsonFile, parseCanonical } from "./strict-json.ts";

/** What the ledger's key says of a bundle: the digest of every file, and what it claims to be. */
type Statement = { digests: ReadonlyMap<string, string>; predicate: JsonObject; signedBy: readonly NoteKey[] };

/** Opens a DSSE envelope with one of these keys. @throws Refusal where none of them signed it, or it says something else than it must */
function openStatement(value: Json, keys: readonly NoteKey[]): Statement {
  const where = "statement.intoto.json";
  const envelope = membersOf(value, where, ["payloadType", "payload", "signatures"]);
  if (textOf(envelope["payloadType"], `${where}: payloadType`) !== statementPayloadType)
    throw wrong(`${where} is not an in-toto statement`);
  const payload = bytesOf(envelope["payload"], `${where}: payload`);
  const encoded = Buffer.from(dssePreAuthentication(statementPayloadType, payload.toString(), (text) => Buffer.byteLength(text)));
  const signatures = listOf(envelope["signatures"], `${where}: signatures`, 64).map((one) => {
    const { keyid, sig } = membersOf(one, `${where}: signature`, ["keyid", "sig"]);
    textOf(keyid, `${where}: keyid`);
    return bytesOf(sig, `${where}: sig`);
  });
  // The id in the envelope is a hint, and nothing is decided on it.
  const signedBy = keys.filter(
    (key) => key.type === "ed25519" && signatures.some((signature) => noteCrypto.verify("Ed25519", key.publicKey, encoded, signature)),
  );
  if (signedBy.length === 0) throw wrong(`${where} is not signed by the ledger's key: it, or what it was signed with, was changed`);
  const parsed = parseCanonical(payload);
  if ("refused" in parsed) throw wrong(`The statement in ${where} ${parsed.refused}`);
  const statement = membersOf(parsed.value, where, ["_type", "subject", "predicateType", "predicate"]);
  if (statement["_type"] !== statementType || statement["predicateType"] !== rangePredicateType)
    throw wrong(`${where} states something else than the range of a ledger`);
  const digests = new Map<string, string>();
  for (const one of listOf(statement["subject"], `${where}: subject`, 100_000)) {
    const { name, digest } = membersOf(one, `${where}: subject`, ["name", "digest"]);
    const file = textOf(name, `${where}: name`);
    if (digests.has(file)) throw wrong(`${where} names ${file} twice`);
    digests.set(file, textOf(membersOf(digest, `${where}: digest`, ["sha256"])["sha256"], `${where}: sha256`));
  }
  return {
    digests,
    signedBy,
    predicate: membersOf(statement["predicate"], where, ["format", "origin", "population", "exportedAt", "exportedBy", "payloads"]),
  };
}

/** The digest that was signed for each file, and by which keys; nothing where that cannot be known. */
export async function checkStatement(
  files: BundleFiles,
  manifest: BundleManifest,
  keys: readonly NoteKey[],
  problems: Problems,
): Promise<Pick<Statement, "digests" | "signedBy">> {
  const name = bundleFiles.statement;
  try {
    const statement = openStatement(jsonFile(await files.read(name, 32 * 1024 * 1024), name), keys);
    const { format, origin, population, exportedAt, exportedBy, payloads } = manifest;
    const claimed = canonicalJson({ format, origin, population, exportedAt, exportedBy, payloads });
    if (canonicalJson(statement.predicate) !== claimed)
      problems.report("tampered", null, `manifest.json claims something else than ${name} states`);
    for (const file of statement.digests.keys())
      if (files.size(file) === null) problems.report("incomplete", null, `${shown(file)} is missing`);
    for (const file of files.names) {
      if (file !== name && !statement.digests.has(file))
        problems.report("tampered", null, `${file} is not among the files that ${name} states: it was put in`);
    }
    return statement;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    problems.report(error.kind, null, error.message);
    return { digests: new Map(), signedBy: [] };
  }
}

function wrong(what: string): Refusal {
  return new Refusal("tampered", what);
}
