import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { LedgerVerdict } from "@remit/contract";
import { openDatabase, startEmbeddedPostgres } from "@remit/server/testing";
import { effectsRegistry } from "./effects-registry.testing.ts";
import { openEffects } from "./effects.testing.ts";
import type { Effect, Effects } from "./effects.testing.ts";
import type { Replica, Replicas } from "./replicas.testing.ts";
import { openReplicas, signal, until } from "./replicas.testing.ts";

export type KillCampaignOptions = {
  kills: number;
  /** Agents that call at once, each again and again. */
  writers: number;
  /** What is killed when follows from it, as far as it can. */
  seed: number;
  log?: (line: string) => void;
};

/** Something that was promised and did not hold. */
export type Broken = { invariant: Invariant; what: string };

export const invariants = [
  "acknowledged entries lost",
  "gaps",
  "forks",
  "actions without intent",
  "double executions",
  "overspent budgets",
  "actions that ended twice, or not at all",
] as const;
export type Invariant = (typeof invariants)[number];

export type KillReport = {
  kills: { server: number; sequencer: number; postgres: number };
  calls: { made: number; acknowledged: number; unanswered: number };
  effects: number;
  entries: number;
  unknown: number;
  takeovers: number;
  checkpointsSeen: number;
  /** Why calls were not answered, how often each. */
  refusals: Map<string, number>;
  broken: Broken[];
};

type Acknowledged = { key: string; outcome: string; code: string | null; actionId: string };

const capPerDay = 4_000;
const perMinute = 400;

/** Codes of denials that are not in the ledger, or that say to ask again: not the last word. */
const passing = new Set([
  "ledger-unavailable",
  "database-unavailable",
  "control-state-stale",
  "server-unavailable",
  "upstream-unavailable",
  "conflict",
  "internal",
]);

/**
 * Three servers, their PostgreSQL and the one of them that gives the ledger its order are killed at random, under load. Afterwards,
 * what everybody was told is compared with what is in the ledger, in the budgets, and in the upstream's own log.
 */
export async function killCampaign({ kills, writers, seed, log = () => {} }: KillCampaignOptions): Promise<KillReport> {
  await using stack = new AsyncDisposableStack();
  const random = seeded(seed);
  // Numbers of its own, so that what is killed does not hang on how many calls there were.
  const fate = seeded(seed + 1);
  const home = await openReplicasHome(stack);
  const { postgres, replicas, effects, sql } = home;
  const report: KillReport = {
    kills: { server: 0, sequencer: 0, postgres: 0 },
    calls: { made: 0, acknowledged: 0, unanswered: 0 },
    effects: 0,
    entries: 0,
    unknown: 0,
    takeovers: 0,
    checkpointsSeen: 0,
    refusals: new Map(),
    broken: [],
  };
  const acknowledged: Acknowledged[] = [];
  const checkpoints = new Map<number, Set<string>>();
  const stopping = new AbortController();
  const ending = new AbortController();

  const agents = ["one", "two", "three"];
  await replicas.apply(effectsRegistry({ url: effects.url, agents, capPerDay, perMinute }));
  const ben = await replicas.person("ben");
  const ada = await replicas.person("ada");

  /** Whatever dies is started again, as an orchestrator would. */
  async function keepAlive(replica: Replica): Promise<void> {
    while (!ending.signal.aborted) {
      if (replica.pid() === null) await replica.start().catch(() => delay(200));
      await delay(50);
    }
  }

  async function attempt(kind: string, agent: string, key: string, idempotent: boolean): Promise<void> {
    const args = kind === "pay" ? { key, amount: 1 + Math.floor(random() * 5) } : { key };
    for (let round = 0; round < 40 && !stopping.signal.aborted; round += 1) {
      while (!replicas.all.some((replica) => replica.listens())) await delay(20);
      report.calls.made += 1;
      const replica = replicas.pick();
      const called = await replicas.callOnce(replica, agent, kind, args, idempotent ? key : null, 20_000);
      if (called?.outcome === "waiting") {
        await vote(key).catch(() => undefined);
      } else if (called !== null && called.actionId !== null && !passing.has(called.code ?? "")) {
        report.calls.acknowledged += 1;
        acknowledged.push({ key, outcome: called.outcome, code: called.code, actionId: called.actionId });
        return;
      } else if (!idempotent && called === null) {
        // Nobody knows whether it happened, so it is not asked for again.
        report.calls.unanswered += 1;
        return;
      }
      if (called?.code !== undefined && called.code !== null) refuse(called.code);
      await delay(20 + random() * 150, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
    report.calls.unanswered += 1;
  }

  const refuse = (why: string): void => void report.refusals.set(why, (report.refusals.get(why) ?? 0) + 1);

  /** Approves whatever waits, each time on another server. */
  async function vote(_key: string): Promise<void> {
    const { items } = await replicas.ask<{ items: { id: string; digest: string }[] }>(
      replicas.pick(),
      "/v1/approvals?state=pending&limit=20",
      undefined,
      ben,
    );
    for (const { id, digest } of items) {
      await replicas.ask(replicas.pick(), `/v1/approvals/${id}/votes`, { vote: "approve", digest }, ben).catch(() => undefined);
    }
  }

  let serial = 0;
  async function write(): Promise<void> {
    while (!stopping.signal.aborted) {
      serial += 1;
      const key = `call-${serial}`;
      const agent = agents[Math.floor(random() * agents.length)] ?? "one";
      const dice = random();
      if (dice < 0.45) await attempt("pay", agent, key, true);
      else if (dice < 0.75) await attempt("note", agent, key, false);
      else if (dice < 0.9) {
        // The same call on two servers at once is one action.
        await Promise.all([attempt("note", agent, key, true), attempt("note", agent, key, true)]);
      } else await attempt("mail", agent, key, true);
      await delay(random() * 60);
    }
  }

  /** What anybody was shown of the tree must be in the tree at the end. */
  async function observe(): Promise<void> {
    while (!ending.signal.aborted) {
      const seen = await replicas
        .ask<{ size: number; root: string } | null>(replicas.pick(), "/v1/audit/checkpoint", undefined, ada)
        .catch(() => null);
      if (seen !== null && typeof seen.size === "number") {
        const roots = checkpoints.get(seen.size) ?? new Set();
        checkpoints.set(seen.size, roots.add(seen.root));
      }
      await delay(50);
    }
  }

  async function killOne(): Promise<void> {
    const dice = fate();
    if (dice < 0.25) {
      // Not where it is being started again from the last time.
      if (signal(postgres.pid(), "SIGKILL")) report.kills.postgres += 1;
      return;
    }
    if (dice < 0.55) {
      const [holder] = await sql
        .query<{ name: string | null }>("SELECT s.name FROM ledger_sequencer q LEFT JOIN server_instance s ON s.id::text = q.holder")
        .catch(() => []);
      const victim = replicas.all.find((replica) => replica.pid() !== null && holder?.name?.endsWith(`:${new URL(replica.url).port}`));
      if (victim !== undefined) {
        report.kills.sequencer += 1;
        await victim.kill();
        return;
      }
    }
    const running = replicas.all.filter((replica) => replica.pid() !== null);
    const victim = running[Math.floor(fate() * running.length)];
    if (victim === undefined) return;
    report.kills.server += 1;
    await victim.kill();
  }

  const load = Array.from({ length: writers }, write);
  const watchers = [...replicas.all.map(keepAlive), observe()];
  const total = (): number => report.kills.server + report.kills.sequencer + report.kills.postgres;
  while (total() < kills) {
    // Not before something has been done since the last: a system that is down is not under load.
    const goal = acknowledged.length + 1 + Math.floor(fate() * 12);
    const waited = Date.now() + 60_000;
    // Now and then all of them are back by then; mostly what is killed has others down beside it.
    const least = fate() < 0.2 ? replicas.all.length : 1;
    const isUp = (): boolean => replicas.all.filter((replica) => replica.listens()).length >= least;
    while ((acknowledged.length < goal || !isUp()) && Date.now() < waited) await delay(20);
    await delay(fate() * 300);
    await killOne();
    if (total() % 10 === 0) log(`${total()} kills, ${acknowledged.length} calls acknowledged, ${replicas.failures.length} not answered`);
  }
  stopping.abort();
  await Promise.all(load);
  await settle(replicas, sql);
  ending.abort();
  await Promise.all(watchers);

  const verdict = await replicas.ask<LedgerVerdict>(replicas.pick(), "/v1/audit/verify", undefined, ada);
  for (const failure of replicas.failures) refuse(/"code":"[a-z-]+"|[A-Z]+[A-Za-z]*Error.*|\d{3}/.exec(failure)?.[0] ?? failure);
  report.effects = effects.done().length;
  report.checkpointsSeen = checkpoints.size;
  report.broken.push(...(await examine({ sql, verdict, acknowledged, effects: effects.done(), checkpoints })));
  const [counted] = await sql.query<{ entries: string; unknown: string; epoch: string }>(
    `SELECT (SELECT count(*) FROM ledger_entry) AS entries, (SELECT count(*) FROM action WHERE state = 'unknown') AS unknown,
       (SELECT epoch FROM ledger_sequencer) AS epoch`,
  );
  report.entries = Number(counted?.entries);
  report.unknown = Number(counted?.unknown);
  report.takeovers = Number(counted?.epoch);
  return report;
}

/** Three servers on a PostgreSQL of their own, and an upstream that keeps its own log. */
export async function openThreeServers(stack: AsyncDisposableStack): Promise<{ replicas: Replicas; effects: Effects }> {
  const { replicas, effects } = await openReplicasHome(stack);
  return { replicas, effects };
}

async function openReplicasHome(stack: AsyncDisposableStack) {
  const place = await temporaryFolder(stack);
  const postgres = await startEmbeddedPostgres({ dataFolder: join(place, "postgres") });
  const endIt = (): void => void signal(postgres.pid(), "SIGQUIT");
  process.once("exit", endIt);
  stack.defer(async () => {
    process.off("exit", endIt);
    await postgres.stop();
  });
  const sql = openDatabase({ url: postgres.ownerUrl, role: null, poolSize: 2 });
  stack.defer(() => sql.close());
  const replicas = stack.use(await openReplicas({ count: 3, databaseUrl: postgres.ownerUrl }));
  const effects = stack.use(await openEffects(join(place, "effects.log")));
  await replicas.startAll();
  return { postgres, sql, replicas, effects };
}

async function temporaryFolder(stack: AsyncDisposableStack): Promise<string> {
  const { chmod, mkdtemp, rm } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const folder = await mkdtemp(join(tmpdir(), "remit-kill-"));
  await chmod(folder, 0o755);
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

type Sql = ReturnType<typeof openDatabase>;

/** Until everything that was begun has ended and has its place. */
async function settle(replicas: Replicas, sql: Sql): Promise<void> {
  await until("all servers run again", () => replicas.all.every((replica) => replica.pid() !== null));
  await until("nothing is under way", async () => {
    const [row] = await sql
      .query<{ open: string }>(
        `SELECT (SELECT count(*) FROM action WHERE state = 'executing') + (SELECT count(*) FROM approval WHERE state = 'granted')
           + (SELECT count(*) FROM ledger_pending) AS open`,
      )
      .catch(() => []);
    return row !== undefined && Number(row.open) === 0;
  });
}

const terminal = "succeeded failed denied expired rejected cancelled halted unknown".split(" ").map((state) => `action-${state}`);

type Evidence = {
  sql: Sql;
  verdict: LedgerVerdict;
  acknowledged: readonly Acknowledged[];
  effects: readonly Effect[];
  checkpoints: ReadonlyMap<number, ReadonlySet<string>>;
};

async function examine({ sql, verdict, acknowledged, effects, checkpoints }: Evidence): Promise<Broken[]> {
  const broken: Broken[] = [];
  const report = (invariant: Invariant, what: string): void => void broken.push({ invariant, what });
  type Known = {
    id: string;
    trace_id: string | null;
    state: string;
    reservations: { key: string; amount: number; counts: string }[];
    intents: number;
    ends: number;
  };
  const actions = await sql.query<Known>(
    `SELECT a.id, a.trace_id, a.state, a.reservations, coalesce(e.intents, 0) AS intents, coalesce(e.ends, 0) AS ends FROM action a LEFT JOIN (
       SELECT action_id, count(*) FILTER (WHERE type = 'action-intended')::int AS intents, count(*) FILTER (WHERE type = ANY($1))::int AS ends
       FROM ledger_entry JOIN ledger_leaf ON ledger_leaf.entry_id = ledger_entry.id GROUP BY action_id
     ) e ON e.action_id = a.id`,
    [terminal],
  );
  const byId = new Map(actions.map((action) => [action.id, action]));
  const byTrace = new Map(actions.map((action) => [action.trace_id ?? "", action]));

  for (const { key, outcome, code, actionId } of acknowledged) {
    const action = byId.get(actionId);
    if (action === undefined) report("acknowledged entries lost", `${key} (${outcome} ${code ?? ""}): no action ${actionId}`);
    else if (action.ends !== 1)
      report("acknowledged entries lost", `${key} (${outcome} ${code ?? ""}): ${actionId} has no end in the ledger`);
    else if (outcome === "succeeded" && action.state !== "succeeded") {
      report("acknowledged entries lost", `${key} was told to have succeeded, and the ledger says ${action.state}`);
    }
  }

  if (!verdict.ok) for (const problem of verdict.problems) report("gaps", JSON.stringify(problem));
  const [extent] = await sql.query<{ leaves: string; last: string | null; entries: string }>(
    "SELECT count(*) AS leaves, max(seq) AS last, (SELECT count(*) FROM ledger_entry) AS entries FROM ledger_leaf",
  );
  if (Number(extent?.leaves) !== Number(extent?.last ?? -1) + 1) report("gaps", `${extent?.leaves} leaves up to ${extent?.last}`);
  if (extent?.leaves !== extent?.entries) report("gaps", `${extent?.entries} entries, ${extent?.leaves} of them with a place`);

  const stored = await sql.query<{ size: string; root: Buffer }>("SELECT size, root FROM ledger_checkpoint");
  const roots = new Map(stored.map(({ size, root }) => [Number(size), root.toString("base64")]));
  for (const [size, seen] of checkpoints) {
    for (const root of seen)
      if (roots.get(size) !== root) report("forks", `a checkpoint of ${size} entries was shown that is not in the tree`);
  }

  const times = Map.groupBy(effects, ({ key }) => key);
  for (const [key, each] of times) if (each.length > 1) report("double executions", `${key} was done ${each.length} times`);
  for (const { key, outcome } of acknowledged) {
    if (outcome === "succeeded" && !times.has(key)) report("acknowledged entries lost", `${key} succeeded, and the upstream never did it`);
  }

  const drawn = new Map<string, number>();
  for (const { key, trace, amount } of effects) {
    const action = byTrace.get(trace ?? "none");
    if (action === undefined || action.intents !== 1) {
      report("actions without intent", `${key} was done, and ${action?.intents ?? "no action, so no"} intent is in the ledger`);
      continue;
    }
    for (const one of action.reservations) {
      drawn.set(one.key, (drawn.get(one.key) ?? 0) + (one.counts === "amount" ? amount : 1));
    }
  }
  const windows = await sql.query<{ key: string; spent: string; reserved: string }>("SELECT key, spent, reserved FROM budget_window");
  for (const { key, spent, reserved } of windows) {
    const limit = key.startsWith("cap/cap.day") ? capPerDay : perMinute;
    if (Number(spent) + Number(reserved) > limit) report("overspent budgets", `${key}: ${spent} spent, ${reserved} reserved of ${limit}`);
    if (Number(reserved) !== 0) report("overspent budgets", `${key}: ${reserved} is still reserved, and nothing is under way`);
    if ((drawn.get(key) ?? 0) > Number(spent)) report("overspent budgets", `${key}: ${drawn.get(key)} was done, ${spent} is counted`);
  }
  for (const { id, state, ends } of actions) {
    if (ends !== (state === "waiting" ? 0 : 1)) report("actions that ended twice, or not at all", `${id} is ${state} and has ${ends} ends`);
  }
  return broken;
}

/** Numbers from 0 to 1 that follow from the seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
