import type { Backend } from "./backend.ts";
import type { Secrets } from "./secrets.ts";

/** The embedded store. */
export function createStoredBackend({ secrets }: { secrets: Pick<Secrets, "open"> }): Backend {
  return {
    async issue({ credential: { from } }) {
      if (from.type !== "secret") throw new Error(`no secret of the store: ${from.type}`);
      const { path, version, value } = await secrets.open(from.secret);
      return { fields: { value }, open: [], rests: [{ path, version }], expiresAt: null };
    },
    // Another version ends the lease by itself; the same one is as good as before.
    renew: ({ until }) => Promise.resolve(until),
  };
}
