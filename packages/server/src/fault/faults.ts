import type { AddFault, FaultView, Person } from "@remit/contract";
import type { Fault } from "@remit/core";

/** The faults in force, as this server last confirmed them. */
export type Faults = { current(): readonly Fault[] };

/** Injecting takes one person, and in production two. */
export type FaultService = Faults & {
  /**
   * @throws RemitError `invalid-request` when it names what is not registered, or lasts too long
   */
  add(person: Person, fault: AddFault): Promise<FaultView>;
  /**
   * The second voice that a fault for production takes.
   * @throws RemitError `not-found` | `conflict` (it waits for nobody) | `forbidden` (the same person twice)
   */
  confirm(id: string, person: Person): Promise<FaultView>;
  /**
   * Ends it now; one person is enough to make things whole.
   * @throws RemitError `not-found` | `conflict` (it is over)
   */
  remove(id: string, person: Person): Promise<FaultView>;
  /** Those that stand, or the last ones whatever became of them. */
  list(all: boolean): Promise<FaultView[]>;
};
