import type { Id, IdKind } from "@remit/contract";
import type { Approvals } from "../approval/approvals.ts";
import type { ControlState } from "../control/control-state.ts";
import type { Halts } from "../halt/halts.ts";
import type { Payloads } from "../ledger/payloads.ts";
import type { Logger } from "../log/logger.ts";
import type { PolicyEngine } from "../policy/policy-engine.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import type { Upstreams } from "../upstream/upstreams.ts";
import type { ActionJournal } from "./action.journal.ts";
import type { Crash } from "./crash-point.ts";
import type { InFlight } from "./in-flight.ts";
import type { UpstreamTasks } from "./upstream-tasks.ts";
import type { Normaliser } from "./normalise.ts";

/** Everything that the action path asks of others. */
export type ActionDeps = {
  registry: RegistrySource;
  control: Pick<ControlState, "epoch" | "refresh" | "confirmed">;
  halts: Halts;
  policy: Pick<PolicyEngine, "decide" | "couldAllow">;
  journal: ActionJournal;
  approvals: Pick<Approvals, "open" | "granted">;
  payloads: Payloads;
  upstreams: Pick<Upstreams, "call">;
  normaliser: Normaliser;
  inFlight: InFlight;
  /** What upstreams do by themselves. Without, a task is waited for like an answer. */
  upstreamTasks?: UpstreamTasks;
  tracing: Tracing;
  logger: Logger;
  now: () => Date;
  newId: <K extends IdKind>(kind: K) => Id<K>;
  crash: Crash;
};
