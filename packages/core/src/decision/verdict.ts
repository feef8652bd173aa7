import type { Decision, Obligation, RequiredApproval, ShadowEffect } from "@remit/contract";
import { durationSeconds } from "../calendar/duration.ts";
import { inOrder } from "../canonical/in-order.ts";

/**
 * One policy by what it does. A grant permits; a gate forbids until its team approves; a stop forbids; an obligation adds a duty
 * to whatever is permitted. An obligation of a type that nobody here can meet has `obligation: null`.
 */
export type PolicyRule = {
  id: string;
  /** `file:line`, for people. */
  source: string;
  /** Written by the author for whoever is refused or asked. */
  reason: string | null;
  /** A shadow policy decides nothing; what it would have changed is reported. */
  shadow: boolean;
} & (
  | { kind: "grant" }
  | { kind: "gate"; team: string; expiresAfter: string | null }
  | { kind: "stop" }
  | { kind: "obligation"; type: string; obligation: Obligation | null }
);

/** Which policies apply (scope and conditions hold), and which could not be evaluated. */
export type Evaluation = { satisfied: readonly string[]; errors: readonly { policy: string; message: string }[] };

export type VerdictInput = {
  /** For the words of a refusal: who asks for what, where. */
  question: { agent: string; tool: string; resource: string };
  rules: ReadonlyMap<string, PolicyRule>;
  /** Teams whose approval of exactly this action is in hand. */
  approvals: readonly string[];
  /** Must be a function: the same approvals, the same answer. */
  evaluate: (approvals: readonly string[]) => Evaluation;
};

/** `under`: what applies once these teams have approved besides. */
type Asked = Omit<VerdictInput, "evaluate"> & { under: (further: readonly string[]) => Evaluation };
type Verdict = Decision extends infer Member ? (Member extends unknown ? Omit<Member, "shadow"> : never) : never;
/** Whether a policy decides. */
type Enforced = (rule: PolicyRule) => boolean;

/**
 * The verdict of policy. Forbidding overrides permitting; nothing permitted means denied; anything that could not be evaluated
 * means denied. Where only gates stand in the way, their teams are asked, and nobody whose approval could not help is.
 */
export function policyVerdict({ question, rules, approvals, evaluate }: VerdictInput): Decision {
  const base = evaluate(approvals);
  let known: Map<string, Evaluation> | null = null;
  const under = (further: readonly string[]): Evaluation => {
    if (further.length === 0) return base;
    known ??= new Map();
    const key = JSON.stringify([...further].sort());
    const now = known.get(key) ?? evaluate([...approvals, ...further]);
    known.set(key, now);
    return now;
  };
  const asked: Asked = { question, rules, approvals, under };
  const verdict = judge(asked, (rule) => !rule.shadow);
  return { ...verdict, shadow: shadowEffects(asked, verdict) };
}

function judge(asked: Asked, enforced: Enforced): Verdict {
  /** The gates that are open once their teams have approved. */
  const gates = new Map<string, Set<string>>();
  for (;;) {
    const found = look(asked.under([...gates.keys()]), asked.rules, enforced);
    if (found.failed !== null) return found.failed;
    if (found.stops.length > 0) return stopped(found.stops);
    if (found.gates.length === 0) {
      if (found.grants.length === 0) return noGrant(asked);
      const obligations = dueObligations(found.obligations);
      if ("code" in obligations) return obligations;
      const teams = minimal(asked, enforced, [...gates.keys()]);
      if (teams.length === 0) return { type: "allow", policies: found.grants, obligations: obligations.due };
      const required = teams.map((team) => requiredApproval(team, [...(gates.get(team) ?? [])].sort(), asked.rules));
      return {
        type: "require-approval",
        policies: required.flatMap((approval) => approval.gates),
        approvals: required,
        obligations: obligations.due,
      };
    }
    // A gate that still forbids although its team has approved cannot be satisfied by asking again.
    const closed = found.gates.filter(({ team }) => asked.approvals.includes(team) || gates.has(team));
    if (closed.length > 0) return stopped(closed);
    for (const { id, team } of found.gates) gates.set(team, (gates.get(team) ?? new Set()).add(id));
  }
}

/** The teams that must be asked: none is asked whom the others' approvals make superfluous. */
function minimal(asked: Asked, enforced: Enforced, teams: readonly string[]): readonly string[] {
  const all = inOrder(teams);
  let needed = all;
  if (all.length < 2) return all;
  for (const team of all) {
    const without = needed.filter((other) => other !== team);
    const found = look(asked.under(without), asked.rules, enforced);
    if (found.failed === null && found.stops.length === 0 && found.gates.length === 0 && found.grants.length > 0) needed = without;
  }
  return needed;
}

type Found = {
  failed: Extract<Verdict, { type: "deny" }> | null;
  grants: string[];
  stops: PolicyRule[];
  gates: Extract<PolicyRule, { kind: "gate" }>[];
  obligations: Extract<PolicyRule, { kind: "obligation" }>[];
};

function look(evaluation: Evaluation, rules: VerdictInput["rules"], enforced: Enforced): Found {
  const found: Found = { failed: null, grants: [], stops: [], gates: [], obligations: [] };
  const wrong = evaluation.errors.filter((error) => {
    const rule = rules.get(error.policy);
    return rule === undefined || enforced(rule);
  });
  if (wrong.length > 0) {
    found.failed = policyError(
      wrong.map((error) => error.policy),
      wrong.map((error) => `policy ${error.policy} could not be evaluated: ${error.message}`),
    );
    return found;
  }
  for (const id of inOrder(evaluation.satisfied)) {
    const rule = rules.get(id);
    if (rule === undefined) {
      found.failed = policyError([id], [`policy ${id} applied and is not known`]);
      return found;
    }
    if (!enforced(rule)) continue;
    switch (rule.kind) {
      case "grant":
        found.grants.push(rule.id);
        break;
      case "stop":
        found.stops.push(rule);
        break;
      case "gate":
        found.gates.push(rule);
        break;
      case "obligation":
        found.obligations.push(rule);
        break;
    }
  }
  return found;
}

function dueObligations(rules: Found["obligations"]): { due: Obligation[] } | Extract<Verdict, { type: "deny" }> {
  const due: Obligation[] = [];
  for (const rule of rules) {
    if (rule.obligation === null) {
      return {
        type: "deny",
        code: "obligation-unsupported",
        reason: `Policy ${rule.id} (${rule.source}) attaches the obligation ${rule.type}, which this server cannot meet.`,
        policies: [rule.id],
      };
    }
    due.push(rule.obligation);
  }
  return { due };
}

function requiredApproval(team: string, gates: string[], rules: VerdictInput["rules"]): RequiredApproval {
  // The shortest patience of the gates holds: a request must not outlive what any gate allows.
  const limits = gates.flatMap((id) => {
    const rule = rules.get(id);
    return rule?.kind === "gate" && rule.expiresAfter !== null ? [rule.expiresAfter] : [];
  });
  const shortest = limits.sort((left, right) => durationSeconds(left) - durationSeconds(right))[0];
  const reasons = gates.flatMap((id) => rules.get(id)?.reason ?? []);
  return { team, gates, ...(shortest === undefined ? {} : { expiresAfter: shortest }), ...(reasons.length === 0 ? {} : { reasons }) };
}

function stopped(rules: readonly PolicyRule[]): Extract<Verdict, { type: "deny" }> {
  const words = rules.map((rule) => {
    const still = rule.kind === "gate" ? `still refuses although ${rule.team} has approved` : "stops this";
    return rule.reason === null ? `Policy ${rule.id} (${rule.source}) ${still}.` : `${rule.reason} (policy ${rule.id}, ${rule.source})`;
  });
  return { type: "deny", code: "policy-stop", reason: words.join(" "), policies: rules.map((rule) => rule.id) };
}

function noGrant({ question }: Asked): Extract<Verdict, { type: "deny" }> {
  return {
    type: "deny",
    code: "no-grant",
    reason: `No policy permits ${question.agent} to call ${question.tool} in ${question.resource} with these arguments now.`,
    policies: [],
  };
}

function policyError(policies: string[], words: string[]): Extract<Verdict, { type: "deny" }> {
  return { type: "deny", code: "policy-error", reason: `Denied because ${words.join("; ")}.`, policies: [...new Set(policies)].sort() };
}

function shadowEffects(asked: Asked, actual: Verdict): ShadowEffect[] {
  const base = asked.under([]);
  const isShadow = (id: string): boolean => asked.rules.get(id)?.shadow === true;
  const effects: ShadowEffect[] = [];
  if (!base.satisfied.some(isShadow) && !base.errors.some(({ policy }) => isShadow(policy))) return effects;
  const touched = new Set([...base.satisfied, ...base.errors.map((error) => error.policy)]);
  for (const shadow of asked.rules.values()) {
    if (!shadow.shadow || !touched.has(shadow.id)) continue;
    const verdict = judge(asked, (candidate) => !candidate.shadow || candidate.id === shadow.id);
    if (outcome(verdict) !== outcome(actual)) effects.push({ policy: shadow.id, verdict: verdict.type });
  }
  return effects;
}

/** What a shadow policy must change to be worth a word: the kind of verdict, or who is asked. */
function outcome(verdict: Verdict): string {
  return verdict.type === "require-approval"
    ? JSON.stringify([verdict.type, ...verdict.approvals.map((approval) => approval.team)])
    : verdict.type;
}
