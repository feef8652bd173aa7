/** A witness, for the command that runs one. It loads nothing else of the server: it is run by somebody who has none. */
export { describeWitness } from "./describe-witness.ts";
export type { WitnessView } from "./describe-witness.ts";
export { addLog, initWitness, openWitness, removeLog } from "./witness-folder.ts";
export type { WitnessSettings } from "./witness-folder.ts";
export { serveWitness } from "./witness-server.ts";
