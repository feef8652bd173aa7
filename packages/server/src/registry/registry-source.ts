import type { Registry } from "@remit/core";

/** The registry in force, as this server last confirmed it. */
export type RegistrySource = {
  /** @throws RemitError `control-state-stale` when nothing has been applied yet or the copy cannot be confirmed. */
  current(): Registry;
};
