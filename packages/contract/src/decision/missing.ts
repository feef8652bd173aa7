import type { Tier } from "../registry/asset.ts";

/** One thing that a refused call lacks. Everything that it lacks is said at once. */
export type Missing =
  /** The agent's tier does not reach. No token changes that; the tier is in the agent's document. */
  | { type: "tier"; has: Tier; needs: Tier }
  /** None of the agent's policies grants it. No token changes that. */
  | { type: "grant"; policies: string[] }
  /** This token is narrower than what the agent has: one with these scopes would do. */
  | { type: "scope"; scopes: string[] }
  /** Once all else is there, these teams are asked. */
  | { type: "approval"; teams: string[] };
