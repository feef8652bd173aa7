import { createInterface } from "node:readline/promises";
import type { Surroundings, Terminal } from "./terminal.ts";
import { RemitError } from "@remit/contract";

/**
 * Asks a person yes or no; anything but yes is no.
 * @throws RemitError `invalid-request` where nobody can be asked: silence is not consent.
 */
export async function confirm(around: Surroundings, terminal: Terminal, question: string, without: string): Promise<boolean> {
  if (!terminal.interactive) throw new RemitError("invalid-request", `This needs a yes, and nobody can be asked here: pass ${without}.`);
  const lines = createInterface({ input: around.stdin, output: around.stderr });
  // Ctrl-D closes without an answer, and the question would stay open for ever.
  const closed = new Promise<string>((done) => lines.once("close", () => done("")));
  try {
    const answer = await Promise.race([lines.question(`${question} [y/N] `, { signal: around.interruption().asked }), closed]);
    return /^y(es)?$/i.test(answer.trim());
  } catch {
    return false;
  } finally {
    lines.close();
  }
}
