import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { GovernedUpstream } from "../through/registry.ts";
import { registryFiles } from "../through/registry.ts";
import type { Remit } from "../through/remit.ts";

/** Upstreams that come and go while Remit runs. */
export type Registrar = {
  /** In force when it is done. */
  add(upstream: GovernedUpstream): Promise<void>;
  /** Asks upstreams once more for what could not be pinned; what Remit warns of then. */
  refresh(): Promise<readonly string[]>;
  /** Out of force, and no longer connected, when it is done. */
  remove(name: string): Promise<void>;
};

const appliedSchema = z.object({ plan: z.object({ warnings: z.array(z.object({ message: z.string() })) }) });

export function createRegistrar(remit: Remit): Registrar {
  const upstreams = new Map<string, GovernedUpstream>();
  let last: Promise<unknown> = Promise.resolve();
  let next: Promise<readonly string[]> | null = null;

  /** One after the other, for each says the whole registry; whoever comes while one runs shares the next. */
  function apply(): Promise<readonly string[]> {
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
  async function say(): Promise<readonly string[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const applied = await remit.post("/v1/registry/apply", { files: registryFiles([...upstreams.values()]) });
        return appliedSchema.parse(applied).plan.warnings.map(({ message }) => message);
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
    refresh: apply,
    async remove(name) {
      upstreams.delete(name);
      await apply();
    },
  };
}
