import type { Story, StoryAction, StoryApproval, StoryDecision } from "@remit/contract";

type Attributes = Record<string, string | number>;
type Records = Record<string, Attributes>;

/** A document of PROV-JSON (W3C Member Submission, 24 April 2013), as far as this says anything. */
export type ProvenanceDocument = {
  prefix: Record<string, string>;
  entity: Records;
  activity: Records;
  agent: Records;
  used: Records;
  wasGeneratedBy: Records;
  wasInformedBy: Records;
  wasAssociatedWith: Records;
  wasAttributedTo: Records;
  actedOnBehalfOf: Records;
};

/**
 * The provenance of every decision and action of a story, in the words of W3C PROV: who acted on whose behalf, what each decision was
 * made from, and what came of it. What was said is not in it, only the digests and the places in the ledger by which it is found and checked.
 */
export function provenanceOf(story: Story, url: string): ProvenanceDocument {
  const document: ProvenanceDocument = {
    prefix: { remit: `${url}/v1/audit/show/` },
    entity: {},
    activity: {},
    agent: {},
    used: {},
    wasGeneratedBy: {},
    wasInformedBy: {},
    wasAssociatedWith: {},
    wasAttributedTo: {},
    actedOnBehalfOf: {},
  };
  let relations = 0;
  const relate = (kind: "used" | "wasGeneratedBy" | "wasInformedBy" | "wasAssociatedWith" | "wasAttributedTo" | "actedOnBehalfOf") => {
    return (given: Attributes): void => {
      relations += 1;
      document[kind][`_:r${relations}`] = given;
    };
  };
  const [used, generated, informed] = [relate("used"), relate("wasGeneratedBy"), relate("wasInformedBy")];
  const [associated, attributed, onBehalf] = [relate("wasAssociatedWith"), relate("wasAttributedTo"), relate("actedOnBehalfOf")];

  for (const run of story.runs) document.activity[named(run)] = { "prov:type": "remit:run" };
  for (const action of story.actions) tell(action);
  return document;

  function tell(action: StoryAction): void {
    const id = named(action.id);
    document.activity[id] = {
      "prov:type": "remit:action",
      ...time("prov:startTime", action.startedAt),
      ...time("prov:endTime", action.endedAt),
      ...present({
        tool: action.tool,
        effect: action.effect,
        environment: action.environment,
        state: action.state,
        digest: action.digest,
        trace: action.traceId,
        code: action.outcome?.code ?? null,
        entries: places(action.entries),
      }),
    };
    if (action.runId !== null) {
      document.activity[named(action.runId)] ??= { "prov:type": "remit:run" };
      informed({ "prov:informed": id, "prov:informant": named(action.runId) });
    }
    const policy = action.policy === null ? null : policyOf(action);
    if (action.agent !== null) {
      const agent = named(`agent:${action.agent}`);
      document.agent[agent] = { "prov:type": "prov:SoftwareAgent", ...document.agent[agent], ...present({ version: action.version }) };
      associated({ "prov:activity": id, "prov:agent": agent, ...(policy === null ? {} : { "prov:plan": policy }) });
      if (action.accountable !== null) {
        const accountable = named(`party:${action.accountable}`);
        document.agent[accountable] ??= { "prov:type": "prov:Person" };
        onBehalf({ "prov:delegate": agent, "prov:responsible": accountable, "prov:activity": id });
      }
    }
    const asked = payload(action, "arguments");
    if (asked !== null) used({ "prov:activity": id, "prov:entity": asked });
    const answer = payload(action, "result");
    if (answer !== null) generated({ "prov:entity": answer, "prov:activity": id });
    for (const approval of action.approvals) used({ "prov:activity": id, "prov:entity": approvalOf(approval) });
    action.decisions.forEach((decision, index) => {
      const made = decided(decision, `${action.id}/decision/${index + 1}`);
      informed({ "prov:informed": id, "prov:informant": made });
      if (asked !== null) used({ "prov:activity": made, "prov:entity": asked });
      if (policy !== null) used({ "prov:activity": made, "prov:entity": policy });
    });
  }

  function policyOf({ policy, decisions }: StoryAction): string {
    const digest = decisions.find(({ policyDigest }) => policyDigest !== null)?.policyDigest ?? null;
    // A policy set is what its digest names: two of one name are two plans.
    const id = named(`policy:${policy ?? ""}${digest === null ? "" : `/${digest}`}`);
    document.entity[id] = { "prov:type": "prov:Plan", ...present({ digest }) };
    return id;
  }

  function payload(action: StoryAction, name: "arguments" | "result"): string | null {
    const { [name]: shown } = action;
    if (shown === null) return null;
    const id = named(`${action.id}/${name}`);
    document.entity[id] = { "prov:type": `remit:${name}`, ...present({ state: shown.state }) };
    return id;
  }

  function approvalOf(approval: StoryApproval): string {
    const id = named(approval.id);
    document.entity[id] = {
      "prov:type": "remit:approval",
      ...present({ state: approval.state, digest: approval.digest, entries: places(approval.entries) }),
    };
    for (const { by, vote, at, seq } of approval.votes) {
      document.agent[named(by)] ??= { "prov:type": "prov:Person" };
      attributed({ "prov:entity": id, "prov:agent": named(by), ...present({ vote, at, entry: seq }) });
    }
    return id;
  }

  function decided(decision: StoryDecision, name: string): string {
    const id = named(name);
    document.activity[id] = {
      "prov:type": "remit:decision",
      ...time("prov:startTime", decision.at),
      ...time("prov:endTime", decision.at),
      ...present({
        verdict: decision.verdict,
        code: decision.code,
        reason: decision.reason,
        policies: decision.policies.join(" "),
        facts: decision.facts === null ? null : JSON.stringify(decision.facts),
        entry: decision.seq,
      }),
    };
    return id;
  }
}

/** What a qualified name cannot hold (PROV-N, PN_LOCAL) is written as in an address. */
function named(local: string): string {
  return `remit:${encodeURIComponent(local)
    .replaceAll("%2F", "/")
    .replace(/['()]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)}`;
}

function present(values: Record<string, string | number | null>): Attributes {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === null || value === "" ? [] : [[`remit:${name}`, value]])),
  );
}

function time(name: string, at: string | null): Attributes {
  return at === null || at === "" ? {} : { [name]: at };
}

/** Where in the ledger it stands; nothing of what waits for its place. */
function places(entries: readonly { seq: number | null }[]): string {
  return entries.flatMap(({ seq }) => (seq === null ? [] : [seq])).join(" ");
}
