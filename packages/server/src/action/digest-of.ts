import { hash } from "node:crypto";
import type { Caller, Digest } from "@remit/contract";
import { actionDigestText } from "@remit/core";
import type { Continuation } from "../upstream/relay.ts";
import type { NormalArguments } from "./normalise.ts";

/** The SHA-256 that names an action. An attempt whose arguments have no canonical form is named by everything else of it. */
export function digestOf(action: {
  caller: Caller;
  tool: string;
  pin: Digest;
  input: NormalArguments | null;
  key: string | null;
  continuation: Continuation | null;
}): Digest {
  const { caller, tool, pin, input, key, continuation } = action;
  const identity = {
    agent: caller.agent,
    environment: caller.environment,
    runId: caller.run?.id ?? null,
    tool,
    pin,
    arguments: input?.value ?? {},
    idempotencyKey: key,
  };
  return hash("sha256", actionDigestText(continuation === null ? identity : { ...identity, continuation }), "hex");
}
