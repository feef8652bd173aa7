import type { Digest, JsonObject } from "@remit/contract";
import { canonicalJson } from "../canonical/canonical-json.ts";

/** What exactly an action is. An approval of it is an approval of all of this, and of nothing else. */
export type ActionIdentity = {
  /** Not its version: what was asked for is fixed here, and whether it may still happen is decided again when it is to run. */
  agent: string;
  environment: string;
  runId: string | null;
  tool: string;
  /** Digest of the tool's accepted schema and description. */
  pin: Digest;
  arguments: JsonObject;
  /** Distinguishes two equal calls that are meant to be two. */
  idempotencyKey: string | null;
  /** What a retry of a call that needed input brings along; left out where there is none. */
  continuation?: JsonObject;
};

/** The text whose SHA-256 names the action. Canonical JSON with fixed members is injective, and the first member separates it from any other digest. */
export function actionDigestText(identity: ActionIdentity): string {
  const { agent, environment, runId, tool, pin, idempotencyKey, continuation } = identity;
  // In canonical order, in which it is written: nobody has to sort it.
  const named: ActionIdentity & { "remit/action": 1 } = {
    agent,
    arguments: identity.arguments,
    ...(continuation === undefined ? {} : { continuation }),
    environment,
    idempotencyKey,
    pin,
    "remit/action": 1,
    runId,
    tool,
  };
  return canonicalJson(named);
}
