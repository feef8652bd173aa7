import { openDatabase } from "../database/database.postgres.ts";
import { startLedger, testEntry } from "./ledger.testing.ts";

// A server in small: records and appends as fast as it can, and says of each entry that it was acknowledged. Somebody kills it.
const database = openDatabase({ url: process.env["DATABASE_URL"] ?? "" });
const { ledger } = startLedger(database, { leaseMs: 500, mergeMs: 5 });

async function write(worker: number): Promise<never> {
  for (;;) {
    const entry = testEntry("action-denied", { payloads: [{ name: "arguments", subject: `worker:${worker % 7}`, value: { worker } }] });
    if (worker % 4 === 0) await database.transaction((transaction) => ledger.append(transaction, [entry]));
    else await ledger.record(entry);
    // Written before this returns: a pipe is synchronous.
    process.stdout.write(`${entry.id}\n`);
  }
}

await Promise.all(Array.from({ length: 16 }, (_, worker) => write(worker)));
