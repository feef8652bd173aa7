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

/** The text whose SHA-256 names the action. Canonical JSON with fixed members is injective, and `remit/action` separates it from any other digest. */
export function actionDigestText(identity: ActionIdentity): string {
  if (identity.continuation !== undefined) return canonicalJson({ "remit/action": 1, ...identity });
  const { agent, environment, idempotencyKey, pin, runId, tool } = identity;
  // In the order in which it is written: nothing is left to sort.
  return canonicalJson({ agent, arguments: identity.arguments, environment, idempotencyKey, pin, "remit/action": 1, runId, tool });
}
