import type { Context, Entities, Expr, PolicyJson, TypeAndId } from "@cedar-policy/cedar-wasm/nodejs";
import type { Decision } from "@remit/contract";
import { policyVerdict } from "@remit/core";
import type { Evaluation, PolicyRequest, PolicyRule } from "@remit/core";
import { createBoundedCache } from "./bounded-cache.ts";
import { entityKey, scopeHolds } from "./cedar-expression.ts";
import type { CedarEvaluator, PreparedSet } from "./cedar-evaluator.ts";
import { CedarFailure } from "./cedar-evaluator.ts";
import { questionSchema } from "./cedar-schema.ts";
import type { CompiledPolicy, CompiledSet } from "./compiled-policy.ts";
import { evaluateDirectly } from "./direct-evaluation.ts";
import { projectType, projectValue, Unreadable } from "./projection.ts";
import { mergeReads, noReads } from "./reads.ts";
import { actionAncestors, actionEntity } from "./remarks.ts";
import { applicability } from "./residual.ts";
import type { Known } from "./residual.ts";
import type { RecordType } from "./value-type.ts";
import { contextType } from "./vocabulary.ts";
import type { ToolWords, Vocabulary } from "./vocabulary.ts";

/** One policy set and the guard, ready to decide. */
export type PolicySet = {
  compiled: CompiledSet;
  decide(request: PolicyRequest): Decision;
  couldAllow(request: PolicyRequest): boolean;
  /** The policies whose heads hold of who asks for what and where, and what is known before the arguments are. */
  slice(request: PolicyRequest): { policies: readonly CompiledPolicy[]; known: Known; possible: boolean } | null;
  /** Which of the slice's policies apply, shadows too. Null when the question cannot be put. */
  evaluate(request: PolicyRequest): Evaluation | null;
  /** Conditions by name, each by itself: which hold, and which cannot be evaluated. Null when nothing can be said of this question. */
  probe(request: PolicyRequest, conditions: ReadonlyMap<string, Expr>): Evaluation | null;
};

/** Policies of a slice as one question to Cedar. `asked`: how often; `direct`: whether what is plain may be answered without asking Cedar. */
type Part = { set: PreparedSet; context: RecordType; policies: readonly CompiledPolicy[]; asked: number; direct: boolean };

/** Where Cedar answered a question otherwise than was evaluated directly. Names alone: what an error says may quote the call. */
export type PolicyDifference = { policySet: string; tool: string; direct: Applied; cedar: Applied };
type Applied = { satisfied: string[]; errors: string[] };
type Slice = {
  number: number;
  policies: readonly CompiledPolicy[];
  rules: ReadonlyMap<string, PolicyRule>;
  known: Known;
  /** Could any arguments, facts and approvals make this not a denial? Listing and calling both ask this. */
  possible: boolean;
  enforced: Part | null;
  /** Those of the enforced that read approvals: all that one more approval can change. */
  gates: Part | null;
  shadow: Part | null;
  entities: Entities;
};

const maxSlices = 4_096;
const maxRemembered = 8_192;
const maxRememberedLength = 1_024;

const checkedFirst = 8;

export function createPolicySet(deps: {
  compiled: CompiledSet;
  vocabulary: Vocabulary;
  /** Names this set among all sets that the evaluator has ever prepared. */
  digest: string;
  evaluator: CedarEvaluator;
  /** What is answered directly is Cedar's to answer: it is asked the first questions of each kind, and one in so many from then on. */
  checkEvery?: number;
  /** Told once, where the two differ: from then on Cedar alone answers for this set. */
  onDifference?: ((difference: PolicyDifference) => void) | undefined;
}): PolicySet {
  const { compiled, vocabulary, evaluator, checkEvery = 256, onDifference } = deps;
  let isDirectTrusted = true;
  const slices = createBoundedCache<Slice>(maxSlices);
  // What Cedar said of a question. Exact, because the key is the whole question: the slice, and everything of the context that its policies read.
  const remembered = createBoundedCache<Evaluation>(maxRemembered);
  let made = 0;

  function sliceOf(request: PolicyRequest): Slice | null {
    const tool = vocabulary.tools.get(request.tool);
    if (tool === undefined || tool.input === null) return null;
    const key = JSON.stringify([
      request.agent,
      request.roles,
      request.tool,
      request.upstream,
      request.effect,
      request.sensitivity,
      request.reversibility,
      request.queue,
      request.environment,
      request.environmentType,
      request.workflow,
    ]);
    const before = slices.get(key);
    if (before !== undefined) return before;
    const slice = makeSlice(request, { ...tool, effect: request.effect });
    slices.set(key, slice);
    return slice;
  }

  function makeSlice(request: PolicyRequest, tool: ToolWords): Slice {
    const known = knownOf(request, tool);
    const holds = (policy: CompiledPolicy) =>
      (["principal", "action", "resource"] as const).every((part) =>
        scopeHolds(policy[part], known[part], known.ancestors.get(entityKey(known[part])) ?? new Set()),
      );
    const applying = compiled.policies.flatMap((policy, index) => (holds(policy) ? [{ policy, index }] : []));
    const policies = applying.map(({ policy }) => policy);
    const part = (choose: (policy: CompiledPolicy) => boolean): Part | null => {
      const chosen = applying.filter(({ policy }) => choose(policy));
      if (chosen.length === 0) return null;
      const reads = noReads();
      for (const { policy } of chosen) mergeReads(reads, policy.reads);
      const context = projectType(contextType(tool), reads);
      return {
        context,
        policies: chosen.map(({ policy }) => policy).sort(byId),
        asked: 0,
        direct: true,
        set: {
          key: `${deps.digest}/${compiled.name}/${tool.name}/${tool.effect}/${chosen.map(({ index }) => index).join(",")}`,
          policies: () => Object.fromEntries(chosen.map(({ policy }) => [policy.rule.id, policy.json])),
          schema: () => questionSchema(tool, context, vocabulary.teams),
        },
      };
    };
    made += 1;
    return {
      number: made,
      policies,
      rules: new Map(policies.map(({ rule }) => [rule.id, rule])),
      known,
      possible: isPossible(policies, known),
      enforced: part(({ rule }) => !rule.shadow),
      gates: part(({ rule, reads }) => !rule.shadow && reads.members.has("approvals")),
      shadow: part(({ rule }) => rule.shadow),
      entities: entitiesOf(request),
    };
  }

  function ask(slice: Slice, part: Part | null, name: string, request: PolicyRequest, approvals: readonly string[]): Evaluation {
    if (part === null) return { satisfied: [], errors: [] };
    const context = projectValue(part.context, contextOf(request, approvals, slice.known), null) as Context;
    const direct = part.direct && isDirectTrusted ? evaluateDirectly(part.policies, slice.known, context) : null;
    part.asked += 1;
    if (direct !== null && part.asked > checkedFirst && part.asked % checkEvery !== 0) return direct;
    const text = JSON.stringify(context);
    const key = `${slice.number}${name}${text}`;
    const { principal, action, resource } = slice.known;
    const now = remembered.get(key) ?? evaluator.evaluate(part.set, { principal, action, resource, context, entities: slice.entities });
    if (direct !== null && JSON.stringify(direct) !== JSON.stringify(now)) {
      isDirectTrusted = false;
      onDifference?.({ policySet: compiled.name, tool: request.tool, direct: appliedIn(direct), cedar: appliedIn(now) });
      // One of the two is wrong about this question, and it may be the one that permits.
      throw new CedarFailure("Cedar answers otherwise than was evaluated directly; repeat the call: Cedar alone decides from now on");
    }
    if (text.length <= maxRememberedLength) remembered.set(key, now);
    return now;
  }

  /** The enforced policies under further approvals: what reads none of them stands as it was found without. */
  function askAgain(slice: Slice, before: Evaluation, request: PolicyRequest, approvals: readonly string[]): Evaluation {
    const gates = ask(slice, slice.gates, "g", request, approvals);
    const stands = (id: string) => {
      const policy = slice.policies.find(({ rule }) => rule.id === id);
      return policy === undefined || !policy.reads.members.has("approvals");
    };
    return {
      satisfied: [...before.satisfied.filter(stands), ...gates.satisfied],
      errors: [...before.errors.filter((error) => stands(error.policy)), ...gates.errors],
    };
  }

  /** What a shadow policy cannot answer must not decide anything either. */
  function askShadow(slice: Slice, request: PolicyRequest, approvals: readonly string[]): Evaluation {
    try {
      return ask(slice, slice.shadow, "s", request, approvals);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { satisfied: [], errors: slice.policies.flatMap(({ rule }) => (rule.shadow ? [{ policy: rule.id, message }] : [])) };
    }
  }

  return {
    compiled,
    decide(request) {
      const slice = sliceOf(request);
      if (slice === null) return unknownTool(request.tool, vocabulary);
      // An approval of a team that can no longer be asked opens nothing, and the schema does not know it.
      const named = (approvals: readonly string[]) =>
        approvals.length === 0 ? approvals : vocabulary.teams.filter((team) => approvals.includes(team));
      const inHand = named(request.approvals);
      try {
        const base = ask(slice, slice.enforced, "e", request, inHand);
        const decision = policyVerdict({
          question: { agent: request.agent, tool: request.tool, resource: request.queue ?? request.environment },
          rules: slice.rules,
          approvals: inHand,
          evaluate: (approvals) => {
            const enforced = approvals.length === inHand.length ? base : askAgain(slice, base, request, named(approvals));
            if (slice.shadow === null) return enforced;
            const shadow = askShadow(slice, request, named(approvals));
            return { satisfied: [...enforced.satisfied, ...shadow.satisfied], errors: [...enforced.errors, ...shadow.errors] };
          },
        });
        // What is not listed cannot be called, even should the analysis behind the listing be wrong.
        if (decision.type !== "deny" && !slice.possible) return denied("no-grant", `${request.tool} is not listed for ${request.agent}.`);
        return decision;
      } catch (error) {
        if (error instanceof Unreadable) return denied("policy-error", `Denied because policy cannot read the call: ${error.message}.`);
        const why = error instanceof CedarFailure ? error.message : "the policy engine failed";
        return denied("policy-error", `Denied because policy could not be evaluated: ${why}.`);
      }
    },
    couldAllow(request) {
      return sliceOf(request)?.possible ?? false;
    },
    slice(request) {
      return sliceOf(request);
    },
    evaluate(request) {
      const slice = sliceOf(request);
      if (slice === null) return null;
      const inHand = vocabulary.teams.filter((team) => request.approvals.includes(team));
      try {
        const enforced = ask(slice, slice.enforced, "e", request, inHand);
        const shadow = askShadow(slice, request, inHand);
        return { satisfied: [...enforced.satisfied, ...shadow.satisfied], errors: [...enforced.errors, ...shadow.errors] };
      } catch (error) {
        if (error instanceof Unreadable || error instanceof CedarFailure) return null;
        throw error;
      }
    },
    probe(request, conditions) {
      const slice = sliceOf(request);
      const tool = vocabulary.tools.get(request.tool);
      if (slice === null || tool === undefined) return null;
      const reads = noReads();
      for (const policy of slice.policies) mergeReads(reads, policy.reads);
      const context = projectType(contextType(tool), reads);
      const head = { principal: { op: "All" }, action: { op: "All" }, resource: { op: "All" } } as const;
      const policyOf = (body: Expr): PolicyJson => ({ effect: "permit", ...head, conditions: [{ kind: "when", body }] });
      const set: PreparedSet = {
        key: `${deps.digest}/${compiled.name}/probe/${tool.name}/${JSON.stringify([...conditions])}`,
        policies: () => Object.fromEntries([...conditions].map(([name, body]) => [name, policyOf(body)])),
        schema: () => questionSchema({ ...tool, effect: request.effect }, context, vocabulary.teams),
      };
      try {
        return ask(
          slice,
          { set, context, policies: [], asked: 0, direct: false },
          `p${set.key}`,
          request,
          vocabulary.teams.filter((team) => request.approvals.includes(team)),
        );
      } catch (error) {
        if (error instanceof Unreadable || error instanceof CedarFailure) return null;
        throw error;
      }
    },
  };
}

/** As answers name them: what is found in this order need not be put into it. */
function byId({ rule: { id: one } }: CompiledPolicy, { rule: { id: other } }: CompiledPolicy): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function appliedIn({ satisfied, errors }: Evaluation): Applied {
  return { satisfied: [...satisfied], errors: errors.map(({ policy }) => policy) };
}

/** Some grant can apply, and nothing that forbids, or that nobody can meet, always does. */
function isPossible(policies: readonly CompiledPolicy[], known: Known): boolean {
  let granted = false;
  for (const { rule, conditions } of policies) {
    if (rule.shadow) continue;
    const applies = applicability(conditions, known);
    if (rule.kind === "grant") granted ||= applies.can;
    else if (applies.must && !(rule.kind === "obligation" && rule.obligation !== null)) return false;
  }
  return granted;
}

function contextOf({ input, facts }: PolicyRequest, approvals: readonly string[], { context }: Known) {
  return { input: input ?? {}, facts, approvals, run: context["run"], tool: context["tool"] };
}

function knownContext(request: PolicyRequest) {
  return {
    run: {
      environment: request.environment,
      environmentType: request.environmentType,
      workflow: request.workflow,
      queue: request.queue,
    },
    tool: {
      name: request.tool,
      upstream: request.upstream,
      effect: request.effect,
      sensitivity: request.sensitivity,
      reversibility: request.reversibility,
    },
  };
}

function resourceChain(request: PolicyRequest): TypeAndId[] {
  return [
    ...(request.queue === null ? [] : [{ type: "Remit::Queue", id: request.queue }]),
    { type: "Remit::Environment", id: request.environment },
    { type: "Remit::EnvironmentType", id: request.environmentType },
  ];
}

function knownOf(request: PolicyRequest, tool: ToolWords): Known {
  const principal = { type: "Remit::Agent", id: request.agent };
  const action = actionEntity(request.tool);
  const chain = resourceChain(request);
  const resource = chain[0] ?? { type: "Remit::Environment", id: request.environment };
  return {
    principal,
    action,
    resource,
    ancestors: new Map([
      [entityKey(principal), new Set([principal, ...request.roles.map((id) => ({ type: "Remit::Role", id }))].map(entityKey))],
      [entityKey(action), actionAncestors(tool)],
      [entityKey(resource), new Set(chain.map(entityKey))],
    ]),
    context: knownContext(request),
  };
}

/** Only what the question is about: Cedar reads entities anew for every decision. */
function entitiesOf(request: PolicyRequest): Entities {
  const chain = resourceChain(request);
  return [
    { uid: { type: "Remit::Agent", id: request.agent }, attrs: {}, parents: request.roles.map((id) => ({ type: "Remit::Role", id })) },
    ...chain.slice(0, -1).map((uid, index) => ({ uid, attrs: {}, parents: chain.slice(index + 1, index + 2) })),
  ];
}

function unknownTool(tool: string, vocabulary: Vocabulary): Decision {
  return vocabulary.tools.has(tool)
    ? denied("policy-error", `Denied because no schema is pinned for ${tool}; apply the registry while its upstream can be reached.`)
    : denied("unknown-tool", `${tool} is not a registered tool.`);
}

function denied(code: Extract<Decision, { type: "deny" }>["code"], reason: string): Decision {
  return { type: "deny", code, reason, policies: [], shadow: [] };
}
