export { contain } from "./contain.ts";
export type { Contained, ContainRequest } from "./contain.ts";
export { processesHeldBy } from "./limits.ts";
export { bubblewrapMachine, examineMachine, namespaceMachine, uncontained } from "./machine.ts";
export type { Machine } from "./machine.ts";
export { placeOfUrl, reachableOf } from "./reachable.ts";
export type { Reachable } from "./reachable.ts";
