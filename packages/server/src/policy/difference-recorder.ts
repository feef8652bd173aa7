import type { newId } from "../id/new-id.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Logger } from "../log/logger.ts";
import type { PolicyDifference } from "./policy-set.ts";

/** Records, and says aloud, that Cedar answered otherwise than what is evaluated without it. */
export function createDifferenceRecorder(deps: {
  ledger: Pick<Ledger, "record">;
  logger: Pick<Logger, "error">;
  now: () => Date;
  newId: typeof newId;
  onError: (error: unknown) => void;
}): (difference: PolicyDifference) => void {
  return (difference) => {
    deps.logger.error(difference, "Cedar answers otherwise than was evaluated directly; it alone decides from now on");
    deps.ledger
      .record({
        id: deps.newId("entry"),
        type: "policy-differed",
        at: deps.now().toISOString(),
        actor: "service:remit",
        data: difference,
      })
      .catch(deps.onError);
  };
}
