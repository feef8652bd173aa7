import type { Effect, EnvironmentType, JsonObject, Tier } from "@remit/contract";

/** Numbers and the calendar as policies read them: `context.facts`. All are integers or strings; Cedar has no floats. */
export type Facts = {
  /** In the organisation's time zone: `mon` … `sun`, 0–23, `2026-11-21`. */
  weekday: string;
  hour: number;
  date: string;
  /** Actions of this run so far, this one not counted; 0 and 0 outside a run. */
  runActions: number;
  runActionsLimit: number;
  /** This agent's actions in the current minute and day, in flight included, this one not counted. */
  actionsThisMinute: number;
  actionsToday: number;
  /** Sum of this tool's amounts for this agent today, spent and reserved, this one not counted. Minor units. */
  amountToday: number;
};

/**
 * One question to policy. `input` is null when the question is "could there be arguments for which this is not denied?",
 * which is how tools are listed.
 */
export type PolicyRequest = {
  agent: string;
  roles: readonly string[];
  tier: Tier;
  tool: string;
  upstream: string;
  effect: Effect;
  sensitivity: string;
  reversibility: string;
  /** What it acts in: the run's queue where there is one, always the environment. */
  queue: string | null;
  environment: string;
  environmentType: EnvironmentType;
  workflow: string | null;
  input: JsonObject | null;
  facts: Facts;
  /** Teams whose approval of exactly this action is in hand. */
  approvals: readonly string[];
};
