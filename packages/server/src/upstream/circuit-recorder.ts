import { qualifiedToolName } from "@remit/contract";
import type { newId } from "../id/new-id.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { CircuitChange } from "./circuits.ts";

/** Records that a tool is no longer called because it keeps failing, and that it is called again. */
export function createCircuitRecorder(deps: {
  ledger: Pick<Ledger, "record">;
  now: () => Date;
  newId: typeof newId;
  onError: (error: unknown) => void;
}): (change: CircuitChange) => void {
  return ({ upstream, environment, tool, state, until, why }) => {
    deps.ledger
      .record({
        id: deps.newId("entry"),
        type: state === "open" ? "circuit-opened" : "circuit-closed",
        at: deps.now().toISOString(),
        actor: "service:remit",
        data: { tool: qualifiedToolName(upstream, tool), upstream, environment, until: until?.toISOString() ?? null, why },
      })
      .catch(deps.onError);
  };
}
