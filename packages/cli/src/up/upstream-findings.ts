import { containmentSchema } from "@remit/contract";
import { z } from "zod";
import { containmentWords } from "../run/containment-words.ts";
import type { Finding } from "./finding.ts";

export const upstreamHealthSchema = z.looseObject({
  upstream: z.string(),
  state: z.string(),
  restarts: z.number(),
  error: z.string().nullable(),
  stderr: z.array(z.string()),
  containment: containmentSchema.nullable().default(null),
  circuits: z.array(z.object({ environment: z.string(), tool: z.string(), state: z.string(), until: z.string().nullable() })).default([]),
});

/** What there is to say of an upstream: whether it is connected, how it is contained, and which of its tools are not called for now. */
export function upstreamFindings(one: z.infer<typeof upstreamHealthSchema>): Finding[] {
  const { upstream, state, restarts, error, containment, circuits } = one;
  return [
    {
      check: `upstream ${upstream}`,
      ok: state === "ready",
      message: `${state}${error === null ? "" : `: ${error}`}, restarted ${restarts} times${containment === null ? "" : `; ${containmentWords(containment)}`}`,
      fix: state === "ready" ? null : "Its command, folder and environment are in the registry; its last words are in the server's log.",
    },
    ...circuits.map(({ environment, tool, state: circuit, until }) => ({
      check: `circuit ${upstream}__${tool} in ${environment === "" ? "no environment" : environment}`,
      ok: false,
      message:
        circuit === "open"
          ? `open: it keeps failing, so it is not called${until === null ? "" : ` before ${until}`}`
          : "half-open: it kept failing, and is being tried again",
      fix: "Its last failures are in the ledger (remit audit query). It closes by itself once its trials succeed.",
    })),
  ];
}
