/**
 * npm run demo:ledger: a ledger that a third party can check, shown on this machine.
 * Starts everything, lets the example's agent work, exports the ledger, verifies the bundle offline in an empty folder, changes one byte,
 * erases a customer, and verifies again. Exits 0 only if all of that held.
 */
import { demoLedger } from "./demo/demo-ledger.ts";

process.exitCode = await demoLedger((line) => void process.stdout.write(`${line}\n`));
// Whatever is still open must not hold up the end.
setTimeout(() => process.exit(), 1_000).unref();
