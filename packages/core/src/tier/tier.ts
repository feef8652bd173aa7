import type { Decision, Effect, EnvironmentType, Tier } from "@remit/contract";

/** The lowest tier that may use a tool of this effect in an environment of this type. A ceiling: policy can only narrow it. */
const lowestTier: Record<Effect, Record<EnvironmentType, Tier>> = {
  read: { dev: 0, staging: 0, production: 0 },
  propose: { dev: 1, staging: 1, production: 1 },
  write: { dev: 2, staging: 2, production: 3 },
};

const tierWords: Record<Tier, string> = {
  0: "observe",
  1: "propose",
  2: "act outside production",
  3: "act in production",
};

export type TierQuestion = {
  agent: string;
  tier: Tier;
  tool: string;
  effect: Effect;
  environment: string;
  environmentType: EnvironmentType;
};

export function requiredTier(effect: Effect, environmentType: EnvironmentType): Tier {
  return lowestTier[effect][environmentType];
}

/** Why the agent's tier does not reach, with what is missing; null when it does. */
export function tierDenial(question: TierQuestion): Extract<Decision, { type: "deny" }> | null {
  const needed = requiredTier(question.effect, question.environmentType);
  if (question.tier >= needed) return null;
  return {
    type: "deny",
    code: "tier-too-low",
    reason:
      `${question.tool} has the effect ${question.effect}; in ${question.environment} (${question.environmentType}) that needs tier ${needed}` +
      ` (${tierWords[needed]}), and ${question.agent} has tier ${question.tier} (${tierWords[question.tier]}).`,
    policies: [],
    shadow: [],
  };
}
