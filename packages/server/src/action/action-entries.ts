import type { Caller, Decision, Id, IdKind, JsonObject, NewEntry, Payload } from "@remit/contract";
import { type Facts, type Registry, type Standing, canonicalJson, maxDataSubjects, subjectsNamed } from "@remit/core";
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
  const entry = (type: "action-intended" | "action-denied" | "action-waiting", decision: Decision, more: JsonObject): NewEntry => ({
    id: first,
    type,
    at: about.now.toISOString(),
    ...attribution(about),
    data: {
      ...subjectOf(about),
      policies: decision.policies,
      shadow: decision.shadow.map(({ policy, verdict }) => ({ policy, verdict })),
      ...factsRead(about),
      ...more,
    },
    payloads: [
      { name: "arguments", ...sealedFor(caller, stand, about.subjects), value: recordable(about) },
      ...(about.continuation === null
        ? []
        : [{ name: "continuation", ...sealedFor(caller, stand, about.subjects), value: { ...about.continuation } }]),
    ],
  });
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

/** Who, and in the course of what. */
export function attribution(
  about: Pick<About, "actionId" | "caller" | "traceId">,
): Pick<NewEntry, "actor" | "actionId" | "runId" | "traceId"> {
  return {
    actor: `agent:${about.caller.agent}`,
    actionId: about.actionId,
    ...(about.caller.run === null ? {} : { runId: about.caller.run.id }),
    ...(about.traceId === null ? {} : { traceId: about.traceId }),
  };
}

/** Under whose keys what an action saw and said is sealed: theirs whom it is about, else that of its run or agent. */
export function sealedFor(
  caller: Caller,
  stand: Standing | null,
  subjects: readonly string[],
): Pick<Payload, "subject" | "about" | "sensitivity"> {
  return {
    subject: caller.run === null ? `agent:${caller.agent}` : `run:${caller.run.id}`,
    ...(subjects.length === 0 ? {} : { about: subjects }),
    // Of a tool that nobody has registered, the worst is assumed.
    sensitivity: stand?.tool.spec.sensitivity ?? "restricted",
  };
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
      return subjectsNamed([pointer], JSON.parse(canonicalJson(given as JsonObject)) as JsonObject);
    } catch {
      return [];
    }
  });
  return [...new Set(found)].sort().slice(0, maxDataSubjects);
}

function subjectOf({ caller, tool, digest, registry, stand }: About): JsonObject {
  return {
    tool,
    upstream: stand?.tool.spec.upstream ?? null,
    effect: stand?.tool.spec.effect ?? null,
    environment: caller.environment,
    agent: caller.agent,
    version: caller.version,
    accountable: caller.accountable,
    policy: caller.policy,
    policyDigest: registry.policies.get(caller.policy)?.digest ?? null,
    digest,
  };
}

function factsRead({ facts }: About): JsonObject {
  const read = facts();
  return read === null ? {} : { facts: { ...read } };
}

/** The arguments as they were given, where they have a form that can be recorded. */
function recordable({ input, arguments: given }: About): JsonObject {
  if (input !== null) return input.value;
  try {
    return JSON.parse(canonicalJson({ refused: given as JsonObject })) as JsonObject;
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
