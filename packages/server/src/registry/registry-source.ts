import type { Registry } from "@remit/core";

/** The registry in force, and how fresh this process's copy of the control state is known to be. */
export type RegistrySource = {
  /** @throws RemitError `control-state-stale` when nothing has been applied yet or the copy cannot be confirmed. */
  current(): Registry;
};
