import { setTimeout as delay } from "node:timers/promises";
import type { GovernedUpstream } from "../through/registry.ts";
import { registryFiles } from "../through/registry.ts";
import type { Remit } from "../through/remit.ts";

/** Upstreams that come and go while Remit runs. */
export type Registrar = {
  /** In force when it is done. */
  add(upstream: GovernedUpstream): Promise<void>;
  /** Asks upstreams once more for what could not be pinned. */
  refresh(): Promise<void>;
  /** Out of force, and no longer connected, when it is done. */
  remove(name: string): Promise<void>;
};

export function createRegistrar(remit: Remit): Registrar {
  const upstreams = new Map<string, GovernedUpstream>();
  let last: Promise<unknown> = Promise.resolve();
  let next: Promise<unknown> | null = null;

  /** One after the other, for each says the whole registry; whoever comes while one runs shares the next. */
  function apply(): Promise<unknown> {
    if (next !== null) return next;
    const applied = last.then(() => {
      next = null;
      return say();
    });
    last = applied.catch(() => undefined);
    next = applied;
    return applied;
  }

  /** What upstreams tell of their tools changes the registry too; whoever comes second has to say it again. */
  async function say(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await remit.post("/v1/registry/apply", { files: registryFiles([...upstreams.values()]) });
        return;
      } catch (error) {
        if (attempt === 40 || !/HTTP 409|control-state-stale/.test(String(error))) throw error;
        if (attempt > 3) await delay(attempt * 20);
      }
    }
  }

  return {
    async add(upstream) {
      upstreams.set(upstream.name, upstream);
      await apply();
    },
    async refresh() {
      await apply();
    },
    async remove(name) {
      upstreams.delete(name);
      await apply();
    },
  };
}
