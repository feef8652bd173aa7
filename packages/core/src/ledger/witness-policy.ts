import { formatNoteKey, parseNoteKey } from "./note-key.ts";
import type { NoteKey } from "./note-key.ts";
import type { Hash } from "./tree-hash.ts";
import { toHex } from "./utf8.ts";

/** A key that logs sign with, or that a witness cosigns with, and where it is reached. */
export type PolicyLog = { key: NoteKey; url: string | null };
export type PolicyWitness = { name: string; key: NoteKey; url: string | null; organisation: string };

/**
 * Whom one asks to watch a ledger, and how many of them have to have seen a checkpoint: the trust policy of C2SP.
 * The members of the group that the quorum names are the organisations; a witness that stands there by itself is its own.
 * @see https://c2sp.org/tlog-policy
 */
export type WitnessPolicy = {
  logs: readonly PolicyLog[];
  witnesses: readonly PolicyWitness[];
  organisations: readonly string[];
  /** How many organisations it takes. */
  quorum: number;
  /** Which organisations have witnessed what these witnesses have. An organisation counts once, whatever number of keys it has. */
  witnessedBy(names: ReadonlySet<string>): string[];
};

export type PolicyProblem = { line: number; message: string };
export type PolicyReading = { type: "policy"; policy: WitnessPolicy } | { type: "refused"; problems: PolicyProblem[] };

type Group = { name: string; needed: number; members: string[] };

const maxLines = 1_000;

/** Reads a policy; what is not understood makes it none. */
export function parseWitnessPolicy(hash: Hash, text: string): PolicyReading {
  const problems: PolicyProblem[] = [];
  const logs: PolicyLog[] = [];
  const witnesses = new Map<string, { name: string; key: NoteKey; url: string | null }>();
  const groups = new Map<string, Group>();
  const keys = new Map<string, string>();
  const ids = new Set<string>();
  const used = new Set<string>();
  let quorum: string | null = null;

  const lines = text.split("\n");
  if (lines.length > maxLines) return { type: "refused", problems: [{ line: maxLines, message: `There are more than ${maxLines} lines` }] };
  lines.forEach((content, index) => {
    const refuse = (message: string) => void problems.push({ line: index + 1, message });
    const words = content.split(/[ \t]+/).filter((word) => word !== "");
    const [keyword, ...rest] = words;
    if (keyword === undefined || keyword.startsWith("#")) return;
    if (hasControl(content)) refuse("There is a control character in it, for example a carriage return: lines end in a line feed alone");
    else if (keyword === "log") readLog(rest, refuse);
    else if (keyword === "witness") readWitness(rest, refuse);
    else if (keyword === "group") readGroup(rest, refuse);
    else if (keyword === "quorum") readQuorum(rest, refuse);
    else refuse(`"${keyword}" is none of log, witness, group, quorum`);
  });

  function take(key: NoteKey, what: string, refuse: (message: string) => void): boolean {
    const bytes = toHex(key.publicKey);
    const before = keys.get(bytes);
    const id = `${key.name}+${toHex(key.keyId)}`;
    if (before !== undefined) refuse(`Its public key is that of ${before} as well: one key is one party`);
    else if (ids.has(id)) refuse(`Another key has the name and the id ${id}`);
    if (before !== undefined || ids.has(id)) return false;
    keys.set(bytes, what);
    ids.add(id);
    return true;
  }

  function readLog([vkey = "", url = null, ...more]: (string | null)[], refuse: (message: string) => void): void {
    const key = parseNoteKey(hash, vkey ?? "");
    if (key === null || more.length > 0) refuse("Expected: log <verifier key> [<url>]; the key is wrong or was mistyped");
    else if (take(key, `the log ${key.name}`, refuse)) logs.push({ key, url });
  }

  function readWitness([name = "", vkey = "", url = null, ...more]: (string | null)[], refuse: (message: string) => void): void {
    const key = parseNoteKey(hash, vkey ?? "");
    if (name === null || key === null || more.length > 0)
      refuse("Expected: witness <name> <verifier key> [<url>]; the key is wrong or was mistyped");
    else if (key.type === "ed25519")
      refuse("That is a key that signs texts; a witness has one that cosigns: its text begins with B or Bg after the second +");
    else if (isTaken(name)) refuse(`The name "${name}" is taken`);
    else if (take(key, `the witness ${name}`, refuse)) witnesses.set(name, { name, key, url });
  }

  function readGroup([name = "", needed = "", ...members]: string[], refuse: (message: string) => void): void {
    const count = needed === "any" ? 1 : needed === "all" ? members.length : /^[1-9][0-9]*$/.test(needed) ? Number(needed) : 0;
    const unknown = members.find((member) => !witnesses.has(member) && !groups.has(member));
    const twice = members.find((member, at) => used.has(member) || members.indexOf(member) !== at);
    if (name === "" || isTaken(name)) refuse(`The name "${name}" is taken`);
    else if (count < 1 || count > members.length)
      refuse(`Expected: group <name> all|any|<k> <name>…, with k from 1 to the number of members`);
    else if (unknown !== undefined) refuse(`"${unknown}" is not defined above`);
    else if (twice !== undefined) refuse(`"${twice}" is a member already: each counts in one place only`);
    else {
      groups.set(name, { name, needed: count, members });
      for (const member of members) used.add(member);
    }
  }

  function readQuorum([name = "", ...more]: string[], refuse: (message: string) => void): void {
    if (quorum !== null) refuse("There is one quorum only");
    else if (more.length > 0 || (name !== "none" && !witnesses.has(name) && !groups.has(name))) refuse(`"${name}" is not defined above`);
    else quorum = name;
  }

  function isTaken(name: string): boolean {
    return name === "none" || witnesses.has(name) || groups.has(name);
  }

  if (quorum === null && problems.length === 0) problems.push({ line: lines.length, message: 'A line "quorum <name>" is missing' });
  if (quorum === null || problems.length > 0) return { type: "refused", problems };

  const top = groups.get(quorum);
  const organisations = quorum === "none" ? [] : (top?.members ?? [quorum]);
  const hasWitnessed = (name: string, names: ReadonlySet<string>): boolean => {
    const group = groups.get(name);
    if (group === undefined) return names.has(name);
    return group.members.filter((member) => hasWitnessed(member, names)).length >= group.needed;
  };
  const membersOf = (name: string): string[] => groups.get(name)?.members.flatMap(membersOf) ?? [name];
  const owners = new Map(organisations.flatMap((name) => membersOf(name).map((witness) => [witness, name] as const)));
  return {
    type: "policy",
    policy: {
      logs,
      // One that no group leads to is known, and counts for nothing.
      witnesses: [...witnesses.values()].flatMap((witness) => {
        const organisation = owners.get(witness.name);
        return organisation === undefined ? [] : [{ ...witness, organisation }];
      }),
      organisations,
      quorum: quorum === "none" ? 0 : (top?.needed ?? 1),
      witnessedBy: (names) => organisations.filter((name) => hasWitnessed(name, names)),
    },
  };
}

/** A policy as the file that verifiers are given. */
export function formatWitnessPolicy(policy: { logs: readonly PolicyLog[]; witnesses: readonly PolicyWitness[]; quorum: number }): string {
  const withUrl = (url: string | null): string => (url === null ? "" : ` ${url}`);
  const organisations = new Map<string, string[]>();
  for (const { name, organisation } of policy.witnesses)
    organisations.set(organisation, [...(organisations.get(organisation) ?? []), name]);
  const alone = ([name, members]: [string, string[]]): boolean => members.length === 1 && members[0] === name;
  return [
    ...policy.logs.map(({ key, url }) => `log ${formatNoteKey(key)}${withUrl(url)}`),
    ...policy.witnesses.map(({ name, key, url }) => `witness ${name} ${formatNoteKey(key)}${withUrl(url)}`),
    ...[...organisations].filter((entry) => !alone(entry)).map(([name, members]) => `group ${name} any ${members.join(" ")}`),
    ...(organisations.size === 0
      ? ["quorum none"]
      : [`group quorum-of-organisations ${policy.quorum} ${[...organisations.keys()].join(" ")}`, "quorum quorum-of-organisations"]),
    "",
  ].join("\n");
}

function hasControl(text: string): boolean {
  for (const character of text) if (character < " " && character !== "\t") return true;
  return false;
}
