import type { Caller, Decision, Id, IdKind, JsonObject, NewEntry, Payload } from "@remit/contract";
import { type Facts, type Registry, type Standing, canonicalJson, maxDataSubjects, subjectsNamed } from "@remit/core";
import { readJson } from "../json/read-json.ts";
import type { Continuation } from "../upstream/relay.ts";
import type { Begin } from "./action.journal.ts";
import type { NormalArguments } from "./normalise.ts";

type About = {
  actionId: Id<"action">;
  caller: Caller;
  tool: string;
  arguments: unknown;
  traceId: string | null;
  digest: string;
  now: Date;
  registry: Registry;
  input: NormalArguments | null;
  stand: Standing | null;
  continuation: Continuation | null;
  /** Whom it is about. */
  subjects: readonly string[];
  /** What policy read of what is counted, once it has been decided; null where it reads none of it. */
  facts: () => Facts | null;
};

/** The entries with which an attempt may begin; one of them is written. All share the id under which the arguments are found. */
export function actionEntries(
  newId: <K extends IdKind>(kind: K) => Id<K>,
  about: About,
): Begin["entries"] & { request: Begin["request"]; first: Id<"entry"> } {
  const { caller, stand } = about;
  const first = newId("entry");
  const entry = (type: "action-intended" | "action-denied" | "action-waiting", decision: Decision, more: JsonObject): NewEntry => {
    const payloads = [payloadOf("arguments", recordable(about), about, about.subjects)];
    if (about.continuation !== null) payloads.push(payloadOf("continuation", { ...about.continuation }, about, about.subjects));
    const data = Object.assign(dataOf(about, decision), more);
    return { ...attribution(about), id: first, type, at: about.now.toISOString(), data, payloads };
  };
  return {
    first,
    intended: (decision) => entry("action-intended", decision, { obligations: decision.obligations }),
    denied: (decision) => entry("action-denied", decision, { code: decision.code, reason: decision.reason }),
    waiting: (decision) => entry("action-waiting", decision, { approvals: decision.approvals }),
    request: (decision) => ({
      tool: about.tool,
      effect: stand?.tool.spec.effect ?? "write",
      reversibility: stand?.tool.spec.reversibility ?? "none",
      environment: caller.environment,
      agent: caller.agent,
      accountable: caller.accountable,
      runId: caller.run?.id ?? null,
      subject: caller.run?.subject ?? null,
      argumentsEntry: first,
      reason: whyAsked(decision),
      approvals: decision.approvals,
      requestedAt: about.now,
      traceId: about.traceId,
    }),
  };
}

type Attribution = Pick<NewEntry, "actor" | "actionId" | "runId" | "traceId">;

/** Who, and in the course of what. */
export function attribution({ actionId, caller, traceId }: Pick<About, "actionId" | "caller" | "traceId">): Attribution {
  const by: Attribution = { actor: `agent:${caller.agent}`, actionId };
  if (caller.run !== null) by.runId = caller.run.id;
  if (traceId !== null) by.traceId = traceId;
  return by;
}

/** What an action saw or said, sealed under the keys of those whom it is about, else under that of its run or agent. */
export function payloadOf(
  name: string,
  value: JsonObject,
  { caller, stand }: Pick<About, "caller" | "stand">,
  subjects: readonly string[],
): Payload {
  const payload: Payload = {
    name,
    subject: caller.run === null ? `agent:${caller.agent}` : `run:${caller.run.id}`,
    // Of a tool that nobody has registered, the worst is assumed.
    sensitivity: stand?.tool.spec.sensitivity ?? "restricted",
    value,
  };
  if (subjects.length > 0) payload.about = subjects;
  return payload;
}

/**
 * Whom a call is about, by what its tool declares.
 * @throws RemitError `invalid-arguments`
 */
export function subjectsOfCall({ tool }: Standing, input: JsonObject, result: JsonObject | null): string[] {
  const { subjects } = tool.spec;
  if (subjects === undefined) return [];
  const named = (place: "arguments" | "result", value: JsonObject): string[] =>
    subjectsNamed(
      subjects.filter((subject) => subject.in === place),
      value,
    );
  return result === null ? named("arguments", input) : [...new Set([...named("arguments", input), ...named("result", result)])].sort();
}

/** The same of a call that was refused before anybody looked at what it says: as far as it names them. */
export function subjectsOfRefused(registry: Registry, tool: string, given: unknown): string[] {
  const pointers = registry.tools.get(tool)?.spec.subjects?.filter((subject) => subject.in === "arguments") ?? [];
  const found = pointers.flatMap((pointer) => {
    try {
      return subjectsNamed([pointer], readJson(canonicalJson(given as JsonObject)) as JsonObject);
    } catch {
      return [];
    }
  });
  return [...new Set(found)].sort().slice(0, maxDataSubjects);
}

function dataOf({ caller, tool, digest, registry, stand, facts }: About, { policies, shadow }: Decision): JsonObject {
  const data: JsonObject = {
    accountable: caller.accountable,
    agent: caller.agent,
    digest,
    effect: stand?.tool.spec.effect ?? null,
    environment: caller.environment,
    policies,
    policy: caller.policy,
    policyDigest: registry.policies.get(caller.policy)?.digest ?? null,
    shadow: shadow.map(({ policy, verdict }) => ({ policy, verdict })),
    tool,
    upstream: stand?.tool.spec.upstream ?? null,
    version: caller.version,
  };
  const read = facts();
  if (read !== null) data["facts"] = { ...read };
  return data;
}

/** The arguments as they were given, where they have a form that can be recorded. */
function recordable({ input, arguments: given }: About): JsonObject {
  if (input !== null) return input.value;
  try {
    return readJson(canonicalJson({ refused: given as JsonObject })) as JsonObject;
  } catch {
    return { refused: "arguments without a canonical form" };
  }
}

/** Why people are asked: the gates' own reasons where their authors gave some, always their names. */
export function whyAsked({ approvals }: Extract<Decision, { type: "require-approval" }>): string {
  const reasons = [...new Set(approvals.flatMap(({ reasons: given = [] }) => given))];
  const gates = approvals.flatMap(({ gates: names }) => names).join(", ");
  const why = reasons.length === 0 ? "policy asks for it" : reasons.join("; ");
  return `${why.charAt(0).toUpperCase()}${why.slice(1)} (${gates}).`;
}
