import { createHmac } from "node:crypto";
import { bundlePartName } from "@remit/contract";
import type { Json, PayloadCommitment } from "@remit/contract";
import { canonicalJson } from "@remit/core";
import type { BundleFiles } from "./bundle-files.ts";
import { sha256 } from "./crypto.ts";
import type { Digests } from "./digests.ts";
import { lineBatches } from "./lines.ts";
import { Refusal, shown } from "./problems.ts";
import type { Problems } from "./problems.ts";
import { bytesOf, countOf, membersOf, textOf } from "./shapes.ts";
import { parseCanonical } from "./strict-json.ts";

/** How many payloads the entries refer to, and in which states they are. */
export type PayloadCounts = { committed: number; sealed: number; open: number; erased: number };

/** A commitment in an entry. */
export type Committed = { seq: number; name: string; commitment: PayloadCommitment };

export type PayloadCheck = {
  /** Commitments in order of their place and then their name. */
  take(committed: readonly Committed[]): Promise<void>;
  /** Whatever is left over belongs to nothing. */
  end(): Promise<void>;
};

type Line = { seq: number; name: string; state: string; payload: Record<string, Json> };

/** A payload of this size and more is not read. */
const longest = 64 * 1024 * 1024;
const members: Record<string, readonly string[]> = {
  sealed: ["ciphertext"],
  erased: ["ciphertext"],
  damaged: ["ciphertext"],
  open: ["salt", "value"],
  missing: [],
};

/** Compares payloads with the commitments in the entries, both read once and in order. */
export function payloadCheck(files: BundleFiles, digests: Digests, problems: Problems, counts: PayloadCounts): PayloadCheck {
  const lines = readLines(files, digests);
  let ahead: Line[] = [];
  let next = 0;

  async function peek(): Promise<Line | null> {
    if (next < ahead.length) return ahead[next] ?? null;
    const batch = await lines.next();
    [ahead, next] = [batch.done === true ? [] : batch.value, 0];
    return ahead[0] ?? null;
  }

  function stray({ seq, name }: Line): void {
    problems.report(
      "tampered",
      seq,
      `The payload "${shown(name)}" is not one that its entry speaks of, or it is there twice: it was put in`,
    );
  }

  return {
    async take(committed) {
      for (const { seq, name, commitment } of committed) {
        counts.committed += 1;
        let line = await peek();
        for (; line !== null && isBefore(line, seq, name); line = await peek()) {
          stray(line);
          next += 1;
        }
        if (line === null || line.seq !== seq || line.name !== name) {
          problems.report("incomplete", seq, `The payload "${shown(name)}" of the entry is not in the bundle`);
          continue;
        }
        next += 1;
        const wrong = wrongWithPayload(line, commitment, counts);
        if (wrong !== null) problems.report("tampered", seq, `The payload "${shown(name)}" ${wrong}`);
      }
    },
    async end() {
      for (let line = await peek(); line !== null; line = await peek()) {
        stray(line);
        next += 1;
      }
    },
  };
}

function isBefore(line: Line, seq: number, name: string): boolean {
  return line.seq < seq || (line.seq === seq && line.name < name);
}

function wrongWithPayload({ state, payload }: Line, { commitment, sealed }: PayloadCommitment, counts: PayloadCounts): string | null {
  switch (state) {
    case "missing":
      return "is missing in the ledger that this was exported from: it was removed";
    case "damaged":
      return "did not open as what was recorded where this was exported: its ciphertext, subject or key was changed, or its key was removed";
    case "open": {
      counts.open += 1;
      const text = textOf(payload["salt"], "salt");
      const salt = Buffer.from(text, "hex");
      const hmac = createHmac("sha256", salt)
        .update(canonicalJson(payload["value"] ?? null))
        .digest("hex");
      return salt.length === 32 && salt.toString("hex") === text && hmac === commitment
        ? null
        : "is not what its entry committed itself to: it was changed";
    }
    default:
      counts[state === "erased" ? "erased" : "sealed"] += 1;
      return Buffer.from(sha256(bytesOf(payload["ciphertext"], "ciphertext"))).toString("hex") === sealed
        ? null
        : "has another ciphertext than was recorded: it was changed";
  }
}

async function* readLines(files: BundleFiles, digests: Digests): AsyncGenerator<Line[]> {
  const parts = files.parts("payloads");
  for (let number = 1; number <= parts; number += 1) {
    const name = bundlePartName("payloads", number);
    for await (const batch of lineBatches(digests.stream(name), { name, most: longest })) yield batch.map((line) => lineOf(line, name));
  }
}

function lineOf(bytes: Buffer, name: string): Line {
  const parsed = parseCanonical(bytes);
  if ("refused" in parsed) throw new Refusal("tampered", `A line of ${name} ${parsed.refused}`);
  const state = textOf((parsed.value as Record<string, Json> | null)?.["state"], `${name}: state`);
  const own = Object.hasOwn(members, state) ? members[state] : undefined;
  if (own === undefined) throw new Refusal("tampered", `${name}: "${shown(state)}" is no state of a payload`);
  const payload = membersOf(parsed.value, `A line of ${name}`, ["seq", "name", "state", ...own]);
  return { seq: countOf(payload["seq"], `${name}: seq`), name: textOf(payload["name"], `${name}: name`), state, payload };
}
