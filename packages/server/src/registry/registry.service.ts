import type { AcceptedTools, AcceptTools, Applied, ErrorCode, Plan, ToolDifferences } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { closureVersionsOf, versionsOf } from "@remit/core";
import type { Registry } from "@remit/core";
import type { ControlState } from "../control/control-state.ts";
import type { Database } from "../database/database.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { PolicyEngine } from "../policy/policy-engine.ts";
import type { OfferedTool, Upstreams } from "../upstream/upstreams.ts";
import { prepareCandidate } from "./candidate.ts";
import type { Candidate } from "./candidate.ts";
import { openStored } from "./loaded-registry.ts";
import type { LoadedRegistry } from "./loaded-registry.ts";
import { appliedEntries, refusedEntry } from "./registry-entries.ts";
import { hashText } from "./registry-hash.ts";
import type { RegistrySource } from "./registry-source.ts";
import type { RegistryStore } from "./registry.store.ts";
import { createToolReview } from "./tool-review.ts";

export type RegistryDeps = {
  database: Database;
  store: RegistryStore;
  ledger: Ledger;
  control: ControlState;
  upstreams: Pick<Upstreams, "offered" | "probe">;
  policyEngine: PolicyEngine;
  now: () => Date;
};

export type RegistryService = RegistrySource & {
  /**
   * What is in force as this process last heard, with how it came to be. For what is done when it changes (`ControlState.onChange`), where
   * `current` cannot be asked: there the copy is still being confirmed.
   * @throws RemitError `control-state-stale` when nothing has been applied yet
   */
  loaded(): LoadedRegistry;
  /**
   * What applying these files would change. It starts the programs of upstreams that are new or changed, so only those may ask who may apply.
   * @throws RemitError `invalid-configuration`
   */
  plan(files: Readonly<Record<string, string>>): Promise<Plan>;
  /**
   * Brings the files into force, whole or not at all. With `plan`, only if that is exactly the plan.
   * @throws RemitError `invalid-configuration` | `conflict`
   */
  apply(request: { files: Readonly<Record<string, string>>; plan?: string | undefined; actor: string }): Promise<Applied>;
  toolDifferences(): Promise<ToolDifferences>;
  /** @throws RemitError `not-found` | `conflict` | `invalid-configuration` */
  acceptTools(request: AcceptTools & { actor: string }): Promise<AcceptedTools>;
  /** Tells what an upstream offers now, after it has connected or said that its tools changed. Blocks what is not what was accepted. */
  driftCheck(upstream: string, offered: readonly OfferedTool[]): Promise<void>;
};

export function createRegistry(deps: RegistryDeps): RegistryService {
  const { database, store, ledger, control, upstreams, policyEngine, now } = deps;
  let inForce: LoadedRegistry | null = null;

  async function reload(): Promise<void> {
    if (inForce !== null && (await store.generation(database)) === inForce.generation) return;
    const next = openStored(await store.load(database));
    // Prepared before it comes into force: a registry whose policies do not compile decides nothing.
    if (next !== null) await policyEngine.prepare(next.registry);
    inForce = next;
  }
  control.onChange(reload);

  function loaded(): LoadedRegistry {
    if (inForce === null) {
      throw new RemitError("control-state-stale", "no registry has been applied yet, so nothing is allowed; apply one with remit apply");
    }
    return inForce;
  }

  /**
   * What is in force as the database has it now, not as this process last heard. Its policies are not compiled here: a registry whose
   * policies no longer compile must still be replaceable.
   */
  async function latest(): Promise<LoadedRegistry | null> {
    const known = inForce;
    return known !== null && (await store.generation(database)) === known.generation ? known : openStored(await store.load(database));
  }

  let turn: Promise<unknown> = Promise.resolve();

  /**
   * Compiles the policies of a registry that may never come into force. One at a time, and after the one in force was used, because an
   * engine keeps only a few: plans must not push out what decides.
   */
  async function check(candidate: Registry): Promise<void> {
    const before = turn;
    const mine = (async () => {
      await before;
      if (inForce !== null) await policyEngine.prepare(inForce.registry).catch(() => undefined);
      await policyEngine.prepare(candidate);
    })();
    turn = mine.catch(() => undefined);
    return mine;
  }

  async function commit(candidate: Candidate, before: LoadedRegistry | null, actor: string): Promise<number> {
    const number = (before?.revision.number ?? 0) + 1;
    const at = now();
    const { registry, heads, plan } = candidate;
    const versions = versionsOf(registry, hashText);
    await database.transaction(async (transaction) => {
      if ((await store.lock(transaction)) !== (before?.generation ?? 0)) throw overtaken();
      await store.addVersions(transaction, [...versions, ...closureVersionsOf(registry)]);
      await store.addRevision(transaction, {
        number,
        digest: registry.digest,
        plan: plan.digest,
        versions,
        appliedBy: actor,
        appliedAt: at,
      });
      await store.setHeads(transaction, heads, { only: true });
      await store.advance(transaction);
      await ledger.append(transaction, appliedEntries({ plan, registry, before: before?.registry ?? null, number, actor, at }));
      await control.changed(transaction);
    });
    await settle();
    return number;
  }

  /** The change has committed; should it not be seen here at once, the next confirmation sees it. */
  async function settle(): Promise<void> {
    await control.refresh().catch(() => undefined);
  }

  const review = createToolReview({ ...deps, latest, settle, check });

  return {
    current() {
      // Throws when this copy was not confirmed for too long: it may name somebody who was suspended since.
      control.epoch();
      return loaded().registry;
    },
    loaded,

    async plan(files) {
      return (await prepareCandidate(files, await latest(), { upstreams, check })).plan;
    },

    async apply({ files, plan: wanted, actor }) {
      try {
        const before = await latest();
        const candidate = await prepareCandidate(files, before, { upstreams, check });
        const { plan } = candidate;
        if (wanted !== undefined && wanted !== plan.digest) {
          throw new RemitError("conflict", "The plan is stale: the files or what is in force have changed since it was made; plan again");
        }
        if (plan.before === plan.after) return { plan, applied: false, revision: before?.revision.number ?? null };
        return { plan, applied: true, revision: await commit(candidate, before, actor) };
      } catch (error) {
        if (RemitError.is(error) && refusals.has(error.code)) await ledger.record(refusedEntry(error, actor, now()));
        throw error;
      }
    },

    ...review,
  };
}

/** Refusals of what was asked; anything else is a failure of ours, and the ledger may be what failed. */
const refusals = new Set<ErrorCode>(["invalid-configuration", "conflict"]);

function overtaken(): RemitError {
  return new RemitError("conflict", "Somebody else changed the registry at the same time; nothing of yours was changed; plan again");
}
