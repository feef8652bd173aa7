import type { Callers } from "../identity/callers.ts";
import type { ControlState } from "./control-state.ts";

/** Callers who come while a change is being loaded wait for it, in place of being sent away. */
export function confirmedFirst(callers: Pick<Callers, "verify">, control: Pick<ControlState, "confirmed">): Pick<Callers, "verify"> {
  return {
    async verify(token, resource) {
      await control.confirmed();
      return callers.verify(token, resource);
    },
  };
}
