import type { PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { Issue } from "@remit/contract";
import type { PolicyRule, PolicySource } from "@remit/core";
import type { Condition, Scope } from "./cedar-expression.ts";
import type { Reads } from "./reads.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** A policy that has been parsed and checked. Plain data: it crosses from the worker that parsed it. */
export type CompiledPolicy = {
  rule: PolicyRule;
  file: string;
  line: number;
  /** As it was written. */
  text: string;
  guard: boolean;
  principal: Scope;
  action: Scope;
  resource: Scope;
  conditions: readonly Condition[];
  reads: Reads;
  /**
   * What Cedar evaluates: this policy's head and conditions as a `permit`, whatever its effect. So one evaluation says which
   * policies apply, of every kind, and which cannot be evaluated; combining them is `policyVerdict`.
   */
  json: PolicyJson;
};

/** `error` keeps a registry from coming into force. */
export type Finding = Issue & { severity: "error" | "warning" | "note"; policy?: string };

export type SetSources = { name: string; sources: readonly PolicySource[] };

/** What is sent to the worker. */
export type CompileRequest = { vocabulary: Vocabulary; sets: readonly SetSources[]; guard: string | null };

/** A set as it decides: its own policies and the guard's. */
export type CompiledSet = { name: string; policies: readonly CompiledPolicy[] };
export type CompileResult = { sets: readonly CompiledSet[]; findings: readonly Finding[] };
