import { Buffer } from "node:buffer";
import { bundleFormat, payloadForms } from "@remit/contract";
import type { BundleManifest, Json, JsonObject } from "@remit/contract";
import { Refusal, shown } from "./problems.ts";

/** Reads members of an object, each of which must be there and of its type, and no other. */
export function membersOf(value: Json | undefined, where: string, names: readonly string[]): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(`${where} is not an object`);
  for (const name of names) if (!Object.hasOwn(value, name)) throw wrong(`${where} has no member "${name}"`);
  const more = Object.keys(value).find((name) => !names.includes(name));
  if (more !== undefined) throw wrong(`${where} has a member "${shown(more)}" that it should not have`);
  return value;
}

export function textOf(value: Json | undefined, where: string): string {
  if (typeof value !== "string") throw wrong(`${where} is not text`);
  return value;
}

/** A whole number from 0 on. */
export function countOf(value: Json | undefined, where: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw wrong(`${where} is not a whole number`);
  return value;
}

export function listOf(value: Json | undefined, where: string, most = 10_000): Json[] {
  if (!Array.isArray(value)) throw wrong(`${where} is not a list`);
  if (value.length > most) throw wrong(`${where} has more than ${most} items`);
  return value;
}

/** Base64 in the one form that its bytes have. */
export function bytesOf(value: Json | undefined, where: string, length?: number): Buffer {
  const text = textOf(value, where);
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) throw wrong(`${where} is not base64`);
  if (length !== undefined && bytes.length !== length) throw wrong(`${where} has ${bytes.length} bytes instead of ${length}`);
  return bytes;
}

function textOrNull(value: Json | undefined, where: string): string | null {
  return value === null ? null : textOf(value, where);
}

export function manifestOf(value: Json): BundleManifest {
  if (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    typeof value["format"] === "string" &&
    value["format"] !== bundleFormat
  ) {
    throw new Refusal("incomplete", `The bundle is of the form "${shown(value["format"])}", and this verifier reads ${bundleFormat}`);
  }
  const all = membersOf(value, "manifest.json", [
    "format",
    "origin",
    "population",
    "asked",
    "exportedAt",
    "exportedBy",
    "payloads",
    "proof",
    "since",
  ]);
  if (all["format"] !== bundleFormat) throw wrong(`manifest.json: format is not "${bundleFormat}"`);
  const population = populationOf(all["population"], "manifest.json: population");
  const asked = membersOf(all["asked"], "manifest.json: asked", ["from", "to"]);
  const proof = membersOf(all["proof"], "manifest.json: proof", ["left", "right"]);
  const hashes = (list: Json | undefined, where: string) =>
    listOf(list, where, 128).map((hash) => bytesOf(hash, where, 32).toString("base64"));
  const payloads = payloadForms.find((form) => form === all["payloads"]);
  if (payloads === undefined) throw wrong(`manifest.json: payloads is none of ${payloadForms.join(", ")}`);
  const since = all["since"] === null ? null : membersOf(all["since"], "manifest.json: since", ["checkpoint", "consistency"]);
  return {
    format: bundleFormat,
    origin: textOf(all["origin"], "manifest.json: origin"),
    population,
    asked: { from: textOrNull(asked["from"], "manifest.json: asked.from"), to: textOrNull(asked["to"], "manifest.json: asked.to") },
    exportedAt: textOf(all["exportedAt"], "manifest.json: exportedAt"),
    exportedBy: textOf(all["exportedBy"], "manifest.json: exportedBy"),
    payloads,
    proof: { left: hashes(proof["left"], "manifest.json: proof.left"), right: hashes(proof["right"], "manifest.json: proof.right") },
    since:
      since === null
        ? null
        : {
            checkpoint: textOf(since["checkpoint"], "manifest.json: since.checkpoint"),
            consistency: hashes(since["consistency"], "manifest.json: since.consistency"),
          },
  };
}

function populationOf(value: Json | undefined, where: string): BundleManifest["population"] {
  const names = ["first", "last", "count", "treeSize", "firstCheckpoint", "lastCheckpoint"] as const;
  const all = membersOf(value, where, [...names, "root"]);
  const [first = 0, last = 0, count = 0, treeSize = 0, firstCheckpoint = 0, lastCheckpoint = 0] = names.map((name) =>
    countOf(all[name], `${where}.${name}`),
  );
  if (last < first || count !== last - first + 1)
    throw wrong(`${where} says ${count} entries from ${first} to ${last}, which is not that many`);
  if (treeSize <= last) throw wrong(`${where}: a checkpoint of ${treeSize} entries does not reach entry ${last}`);
  if (lastCheckpoint !== treeSize || firstCheckpoint > lastCheckpoint || firstCheckpoint <= first)
    throw wrong(`${where} names checkpoints that do not fit its range`);
  return {
    first,
    last,
    count,
    treeSize,
    firstCheckpoint,
    lastCheckpoint,
    root: bytesOf(all["root"], `${where}.root`, 32).toString("base64"),
  };
}

function wrong(what: string): Refusal {
  return new Refusal("tampered", what);
}
