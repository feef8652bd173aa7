import { isDeepStrictEqual } from "node:util";
import type { Containment } from "@remit/contract";
import type { newId } from "../id/new-id.ts";
import type { Ledger } from "../ledger/ledger.ts";

export type ContainmentRecorder = (upstream: string, containment: Containment) => void;

/**
 * Records how upstreams are started: each at its first start, and whenever that differs from the last. One that crashes in a loop
 * does not fill the ledger with the same line.
 */
export function createContainmentRecorder(deps: {
  ledger: Pick<Ledger, "record">;
  now: () => Date;
  newId: typeof newId;
  onError: (error: unknown) => void;
}): ContainmentRecorder {
  const last = new Map<string, Containment>();
  return (upstream, containment) => {
    if (isDeepStrictEqual(last.get(upstream), containment)) return;
    last.set(upstream, containment);
    const { network, ...how } = containment;
    deps.ledger
      .record({
        id: deps.newId("entry"),
        type: "upstream-started",
        at: deps.now().toISOString(),
        actor: "service:gateway",
        data: { upstream, containment: { ...how, network: typeof network === "string" ? network : [...network] } },
      })
      .catch((error: unknown) => {
        last.delete(upstream);
        deps.onError(error);
      });
  };
}
