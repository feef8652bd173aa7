import type { Callers } from "../identity/callers.ts";
import type { ControlState } from "./control-state.ts";

/** Callers who come while a change is being loaded wait for it, in place of being sent away. */
export function confirmedFirst(
  callers: Pick<Callers, "verify">,
  control: Pick<ControlState, "epoch" | "confirmed">,
): Pick<Callers, "verify"> {
  const verify: Callers["verify"] = (token, resource) => callers.verify(token, resource);
  return {
    verify: (token, resource) => (isFresh(control) ? verify(token, resource) : control.confirmed().then(() => verify(token, resource))),
  };
}

function isFresh(control: Pick<ControlState, "epoch">): boolean {
  try {
    control.epoch();
    return true;
  } catch {
    return false;
  }
}
