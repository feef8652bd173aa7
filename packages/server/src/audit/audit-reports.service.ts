import type {
  Access,
  AgentSecret,
  HaltRecord,
  SweepReport,
  AccessPage,
  ApprovalTrail,
  ExceptionReport,
  Exception,
  Id,
  PermissionChange,
  Population,
  ShownPayload,
  TokenReport,
} from "@remit/contract";
import { RemitError } from "@remit/contract";
import {
  countTokens,
  exceptionsOf,
  findRecord,
  latelyDays,
  planChanges,
  storyApprovals,
  sweep,
  sweptAssets,
  tokenEntryTypes,
} from "@remit/core";
import type { AuditStore, EntryFilter } from "../ledger/audit.store.ts";
import type { Payloads } from "../ledger/payloads.ts";
import { hashText } from "../registry/registry-hash.ts";
import type { RegistryHistory } from "../registry/registry-history.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import { diffText } from "../registry/text-diff.ts";
import type { UpstreamHealth } from "../upstream/upstreams.ts";
import type { AuditReportsStore, SequencedEvent } from "./audit-reports.store.ts";

export type Range = { since: Date | null; until: Date | null };

export type AccessQuestion = Range & {
  /** Null: whatever was accessed. */
  record: string | null;
  tool: string | null;
  agent: string | null;
  run: string | null;
  /** A policy set, or one of its policies. */
  policy: string | null;
  /** Also what was denied, or waited. */
  attempts: boolean;
  followed: boolean;
  order: "newest" | "oldest";
  after: number | null;
  limit: number;
};

/** What an auditor asks of the ledger. Everything is computed from sequenced entries, never from traces or from our working tables. */
export type AuditReports = {
  accesses(question: AccessQuestion): Promise<{ page: Omit<AccessPage, "next">; after: number | null }>;
  approvals(range: Range & { agent: string | null; after: number | null; limit: number }): Promise<(ApprovalTrail & { seq: number })[]>;
  exceptions(range: Range): Promise<ExceptionReport>;
  permissions(range: Range, limit: number): Promise<PermissionChange[]>;
  tokens(range: Range): Promise<TokenReport>;
  /** Halts and safe modes, newest first. */
  halts(range: Range & { after: number | null; limit: number }): Promise<HaltRecord[]>;
  /** Every asset in force, looked at by every check. @throws RemitError `control-state-stale` */
  sweep(): Promise<SweepReport>;
};

/** How many actions one page of a search looks into: each costs opening what was sealed. */
const searchedAtOnce = 1_000;
const batch = 500;
const followedAtMost = 10;
const exceptionsOfAKind = 200;

const everything: EntryFilter = {
  run: null,
  action: null,
  approval: null,
  trace: null,
  agent: null,
  actor: null,
  types: null,
  tool: null,
  since: null,
  until: null,
};

const verdicts: Record<string, Access["verdict"]> = {
  "remit.action-intended": "allow",
  "remit.action-waiting": "require-approval",
  "remit.action-denied": "deny",
};

export function createAuditReports(deps: {
  store: AuditStore;
  reports: AuditReportsStore;
  payloads: Payloads;
  history: RegistryHistory;
  registry: RegistrySource;
  secrets: { list(agent: string): Promise<AgentSecret[]> };
  upstreams: { health(): UpstreamHealth[] };
  now: () => Date;
}): AuditReports {
  /** Entries from the beginning of a range to its end, never more than a batch of them in memory. */
  async function* entriesOf(filter: Partial<EntryFilter>): AsyncGenerator<SequencedEvent> {
    for (let after: number | null = null; ;) {
      const found: SequencedEvent[] = await deps.store.find({ ...everything, ...filter }, { order: "oldest", after, limit: batch });
      yield* found;
      if (found.length < batch) return;
      after = found.at(-1)?.seq ?? null;
    }
  }

  async function payloadOf({ event }: SequencedEvent, name: string): Promise<ShownPayload | null> {
    if (event.data.payloads?.[name] === undefined) return null;
    try {
      const value = await deps.payloads.open(event.id as Id<"entry">, name);
      return value === null ? { state: "erased", value } : { state: "open", value };
    } catch (error) {
      if (!RemitError.is(error) || error.code !== "internal") throw error;
      return { state: "damaged", value: null };
    }
  }

  async function accessOf(entry: SequencedEvent, end: SequencedEvent | null, question: AccessQuestion): Promise<Access | null> {
    const { event, seq } = entry;
    const sent = await payloadOf(entry, "arguments");
    const found: string[] = [];
    if (question.record !== null) {
      const answer = end === null ? null : await payloadOf(end, "result");
      if (sent?.state === "open") found.push(...findRecord(sent.value as never, question.record, "/arguments"));
      if (answer?.state === "open") found.push(...findRecord(answer.value as never, question.record, "/result"));
      if (found.length === 0) return null;
    }
    const following = question.followed && event.runid !== undefined ? await deps.reports.following(event.runid, seq, followedAtMost) : [];
    return {
      seq,
      actionId: event.actionid ?? "",
      at: event.time,
      agent: text(event.data["agent"]),
      accountable: text(event.data["accountable"]),
      runId: event.runid ?? null,
      tool: text(event.data["tool"]),
      effect: text(event.data["effect"]),
      environment: text(event.data["environment"]),
      policy: text(event.data["policy"]),
      policyDigest: text(event.data["policyDigest"]),
      policies: policiesOf(entry),
      verdict: verdicts[event.type] ?? "deny",
      outcome: end?.event.type.slice("remit.action-".length) ?? null,
      arguments: sent,
      found: [...new Set(found)].slice(0, 50),
      followed: following.map((next) => ({
        actionId: next.event.actionid ?? "",
        tool: text(next.event.data["tool"]),
        at: next.event.time,
        seq: next.seq,
      })),
    };
  }

  return {
    async accesses(question) {
      const filter: EntryFilter = {
        ...everything,
        run: question.run,
        agent: question.agent,
        tool: question.tool,
        since: question.since,
        until: question.until,
        types: question.attempts ? ["action-intended", "action-waiting", "action-denied"] : ["action-intended"],
      };
      const items: Access[] = [];
      let { after } = question;
      let examined = 0;
      while (items.length < question.limit && examined < searchedAtOnce) {
        const found = await deps.store.find(filter, { order: question.order, after, limit: 100 });
        const wanted = found.filter((entry) => question.policy === null || isOfPolicy(entry, question.policy));
        const ends = await deps.reports.endsOf(wanted.map(({ event }) => event.actionid ?? ""));
        for (const entry of found) {
          examined += 1;
          after = entry.seq;
          if (wanted.includes(entry)) {
            const access = await accessOf(entry, ends.get(entry.event.actionid ?? "") ?? null, question);
            if (access !== null) items.push(access);
          }
          if (items.length === question.limit) break;
        }
        if (found.length < 100 && found.at(-1)?.seq === after) return { page: { items, examined }, after: null };
        if (found.length === 0) return { page: { items, examined }, after: null };
      }
      return { page: { items, examined }, after };
    },

    async approvals({ since, until, agent, after, limit }) {
      const requested = await deps.store.find(
        { ...everything, since, until, actor: agent === null ? null : `agent:${agent}`, types: ["approval-requested"] },
        { order: "newest", after, limit },
      );
      const entries = await deps.reports.aboutApprovals(requested.map(({ event }) => event.approvalid ?? ""));
      const shown = await Promise.all(
        entries.map(async (entry) => {
          const comment = await payloadOf(entry, "comment");
          return { ...entry, payloads: comment === null ? {} : { comment } };
        }),
      );
      const trails = new Map(storyApprovals(shown).map((trail) => [trail.id, trail]));
      return requested.flatMap(({ seq, event }) => {
        const trail = trails.get(event.approvalid ?? "");
        if (trail === undefined) return [];
        const decided = trail.entries.find(({ type }) => /^approval-(granted|denied|expired|cancelled)$/.test(type));
        return [
          {
            ...trail,
            seq,
            actionId: event.actionid ?? null,
            tool: text(event.data["tool"]),
            agent: event.actor.replace(/^agent:/, ""),
            accountable: text(event.data["accountable"]),
            waitedSeconds: decided === undefined ? null : (Date.parse(decided.at) - Date.parse(event.time)) / 1_000,
          },
        ];
      });
    },

    async exceptions(range) {
      const counts: ExceptionReport["counts"] = {};
      const kept = new Map<Exception["kind"], Exception[]>();
      const add = (exception: Exception): void => {
        counts[exception.kind] = (counts[exception.kind] ?? 0) + 1;
        const items = kept.get(exception.kind) ?? [];
        // The newest are kept: they come last.
        kept.set(exception.kind, [...items.slice(items.length >= exceptionsOfAKind ? 1 : 0), exception]);
      };
      const population = populationOf(range);
      const revisions = new Map<number, SequencedEvent>();
      for await (const entry of entriesOf(range)) {
        population.add(entry);
        for (const exception of exceptionsOf(entry)) add(exception);
        const revision = entry.event.data["revision"];
        if (entry.event.type === "remit.registry-applied" && typeof revision === "number") revisions.set(revision, entry);
      }
      for (const { seq, event } of revisions.values()) {
        for (const raised of await selfRaised(event.data["revision"] as number)) {
          add({ kind: "self-raised-limit", seq, entryId: event.id, at: event.time, actor: event.actor, actionId: null, what: raised });
        }
      }
      const items = [...kept.values()].flat().sort((left, right) => right.seq - left.seq);
      const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
      return { population: population.said(), counts, items, truncated: items.length < total };
    },

    permissions: (range, limit) => permissionChanges(range, limit),

    halts: haltRecords,
    sweep: sweepAll,

    async tokens(range) {
      const counted = countTokens();
      const population = populationOf(range);
      for await (const entry of entriesOf({ ...range, types: tokenEntryTypes })) {
        population.add(entry);
        counted.count(entry);
      }
      return { population: population.said(), ...counted.report() };
    },
  };

  async function haltRecords({ since, until, after, limit }: Range & { after: number | null; limit: number }): Promise<HaltRecord[]> {
    const engaged = await deps.store.find({ ...everything, since, until, types: ["halt-engaged"] }, { order: "newest", after, limit });
    const earliest = engaged.at(-1);
    if (earliest === undefined) return [];
    const ends = new Map<string, { asked: SequencedEvent | null; released: SequencedEvent | null }>();
    const range = { since: new Date(earliest.event.time), types: ["halt-release-requested", "halt-released"] };
    for await (const entry of entriesOf(range)) {
      const id = text(entry.event.data["haltId"]) ?? "";
      const known = ends.get(id) ?? { asked: null, released: null };
      ends.set(id, entry.event.type === "remit.halt-released" ? { ...known, released: entry } : { ...known, asked: entry });
    }
    const records: HaltRecord[] = [];
    for (const { seq, event } of engaged) {
      const haltId = text(event.data["haltId"]) ?? "";
      const { asked = null, released = null } = ends.get(haltId) ?? {};
      const counted = await deps.reports.countBetween(["action-halted", "action-denied", "action-intended"], seq, released?.seq ?? null);
      records.push({
        haltId,
        seq,
        mode: text(event.data["mode"]) ?? "halt",
        scope: text(event.data["scope"]) ?? "",
        reason: text(event.data["reason"]) ?? "",
        engagedBy: event.actor,
        engagedAt: event.time,
        releaseRequestedBy: asked?.event.actor ?? null,
        releasedBy: released?.event.actor ?? null,
        releasedAt: released?.event.time ?? null,
        lastedSeconds: released === null ? null : (Date.parse(released.event.time) - Date.parse(event.time)) / 1_000,
        stopped: counted["action-halted"] ?? 0,
        denied: counted["action-denied"] ?? 0,
        began: counted["action-intended"] ?? 0,
      });
    }
    return records;
  }

  async function sweepAll(): Promise<SweepReport> {
    const registry = deps.registry.current();
    const now = deps.now();
    const secretIssuedAt = new Map<string, number>();
    for (const name of registry.agents.keys()) {
      const good = (await deps.secrets.list(name)).filter(
        ({ retiredAt, expiresAt }) => retiredAt === null && Date.parse(expiresAt) > now.getTime(),
      );
      if (good.length > 0) secretIssuedAt.set(name, Math.max(...good.map(({ createdAt }) => Date.parse(createdAt))));
    }
    const used = await deps.reports.usedSince(new Date(now.getTime() - latelyDays * 86_400_000));
    const uncontained = deps.upstreams.health().filter(({ containment }) => containment?.by === "nothing");
    const { findings, checks } = sweep(registry, {
      now: now.getTime(),
      secretIssuedAt,
      usedLately: new Set(used.map(({ agent, tool }) => `${agent} ${tool}`)),
      since: (await deps.reports.begins())?.getTime() ?? null,
      uncontained: new Set(uncontained.map(({ upstream }) => upstream)),
    });
    const ok = !findings.some(({ level }) => level === "high");
    return { registry: registry.digest, at: now.toISOString(), assets: sweptAssets(registry), checks, findings, ok };
  }

  async function permissionChanges(range: Range, limit: number): Promise<PermissionChange[]> {
    const { before, applied } = await deps.history.between(range.since, range.until, limit);
    return applied.map(({ number, appliedAt, appliedBy, registry }, index) => {
      const earlier = index === 0 ? before : applied[index - 1];
      const { changes } = planChanges(earlier?.registry ?? null, registry, [], { hash: hashText, diffText });
      return {
        revision: number,
        at: appliedAt.toISOString(),
        by: appliedBy,
        changes: changes.filter(({ group }) => group === "permissions" || group === "people"),
      };
    });
  }

  /** What a person's own agents gained by what that person applied. */
  async function selfRaised(revision: number): Promise<string[]> {
    const { before, now } = await deps.history.step(revision);
    if (before === null || now === null) return [];
    const { changes } = planChanges(before.registry, now.registry, [], { hash: hashText, diffText });
    return changes.flatMap(({ kind, name, effect, action, summary }) =>
      kind === "agent" &&
      effect === "widens" &&
      action === "change" &&
      now.appliedBy === `party:${before.registry.agents.get(name)?.spec.accountable ?? ""}`
        ? [`${now.appliedBy.slice("party:".length)}, who answers for it, raised it: ${summary}`]
        : [],
    );
  }
}

function populationOf({ since, until }: Range) {
  const said: Population = { first: null, last: null, count: 0, since: since?.toISOString() ?? null, until: until?.toISOString() ?? null };
  return {
    add({ seq }: SequencedEvent): void {
      said.first ??= seq;
      said.last = seq;
      said.count += 1;
    },
    said: (): Population => said,
  };
}

function policiesOf({ event }: SequencedEvent): string[] {
  const { policies } = event.data as { policies?: unknown };
  return Array.isArray(policies) ? policies.filter((policy) => typeof policy === "string") : [];
}

function isOfPolicy(entry: SequencedEvent, policy: string): boolean {
  return entry.event.data["policy"] === policy || policiesOf(entry).includes(policy);
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
