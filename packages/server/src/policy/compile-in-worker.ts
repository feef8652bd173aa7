import type { CompileRequest, CompileResult } from "./compiled-policy.ts";
import { inWorker } from "./in-worker.ts";

const maxTotalLength = 8 * 1024 * 1024;
const timeoutMs = 60_000;

/** Compiles away from everything else: hostile or unlucky policy text can trap Cedar. */
export async function compileInWorker(request: CompileRequest): Promise<CompileResult> {
  const length = request.sets.reduce((sum, set) => sum + set.sources.reduce((inner, source) => inner + source.text.length, 0), 0);
  if (length > maxTotalLength) return failed(`The policy files hold more than ${maxTotalLength / 1024 / 1024} MiB together.`);
  try {
    return await inWorker<CompileResult>("compile", request, timeoutMs);
  } catch (error) {
    return failed(`The policies could not be checked: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

function failed(message: string): CompileResult {
  return { sets: [], findings: [{ severity: "error", message }] };
}
