import { z } from "zod";

/** What each id prefix stands for. An id is `<prefix>_<32 hex digits>`; the digits are a UUIDv7, so ids sort by time of creation. */
export const idPrefixes = {
  action: "act",
  approval: "apr",
  consent: "cns",
  entry: "ent",
  fault: "flt",
  halt: "hlt",
  hold: "hld",
  item: "itm",
  lease: "lse",
  link: "lnk",
  run: "run",
  secret: "sec",
  session: "ses",
  token: "tok",
  webhook: "whk",
} as const;

/** A thing that has ids of its own. */
export type IdKind = keyof typeof idPrefixes;

/** The id of one thing of kind `K`; ids of different kinds cannot be mixed up. */
export type Id<K extends IdKind> = string & { readonly __id: K };

/** The schema of ids of one kind. Refuses ids of every other kind. */
export function idSchema<K extends IdKind>(kind: K) {
  const pattern = new RegExp(`^${idPrefixes[kind]}_[0-9a-f]{32}$`);
  return z
    .string()
    .regex(pattern, `expected ${idPrefixes[kind]}_ and 32 hexadecimal digits`)
    .transform((text) => text as Id<K>);
}

/** Lower-case hexadecimal SHA-256, without a prefix. */
export const digestSchema = z.string().regex(/^[0-9a-f]{64}$/, "expected a SHA-256 in 64 hexadecimal digits");

/** Lower-case hexadecimal SHA-256: the name of a version or of an action. */
export type Digest = string;
