import type { ActionDeps } from "../action/action-deps.ts";
import type { ActionPath } from "../action/action-path.ts";
import { createDecisionsFor } from "../action/decisions-for.ts";
import { createFollowedActions } from "../action/followed-actions.ts";
import { createMissingForCall } from "../action/missing-for-call.ts";
import { withSeveralPolicies } from "../action/several-policies.ts";
import type { UpstreamTasks } from "../action/upstream-tasks.ts";
import type { ApprovalService } from "../approval/approval.service.ts";
import { confirmedFirst } from "../control/confirmed-first.ts";
import type { RunningControlState } from "../control/control-state.postgres.ts";
import type { Database } from "../database/database.ts";
import { createApprovalAnswers } from "../gateway/approval-answer.ts";
import { createApprovalTasks } from "../gateway/approval-tasks.ts";
import { registerGateway } from "../gateway/gateway.routes.ts";
import { createRequestStates } from "../gateway/request-state.ts";
import { createUsedStates } from "../gateway/used-states.postgres.ts";
import type { App } from "../http/http-app.ts";
import type { Callers } from "../identity/callers.ts";
import type { MasterKey } from "../keys/master-key.ts";
import type { Upstreams } from "../upstream/upstreams.ts";

export type GatewayParts = {
  deps: ActionDeps;
  path: ActionPath;
  database: Database;
  masterKey: MasterKey;
  control: RunningControlState;
  upstreams: Upstreams;
  upstreamTasks: UpstreamTasks;
  approvals: ApprovalService;
  callers: Callers;
  publicUrl: URL;
};

/** A page of the composition root: the face that agents see, over the path of an action. */
export function openGateway(app: App, parts: GatewayParts): void {
  const { deps, path, database, masterKey, control, upstreams, upstreamTasks, approvals, callers, publicUrl } = parts;
  const { registry, now } = deps;
  const states = createRequestStates({ key: masterKey.derive("request-state"), now });
  const used = createUsedStates(database, now);
  const actions = createFollowedActions(deps);
  const structured = (tool: string): boolean => registry.current().tools.get(tool)?.pin?.outputSchema === null;
  const tasks = createApprovalTasks({ states, used, actions, approvals, running: upstreamTasks, structured, now });
  const answers = createApprovalAnswers({ states, used, actions, tasks });
  const decisionsFor = createDecisionsFor(deps);
  const gateway = registerGateway(app, {
    path: withSeveralPolicies(path, decisionsFor),
    registry,
    upstreams,
    states,
    callers: confirmedFirst(callers, control),
    publicUrl,
    now,
    missing: createMissingForCall(decisionsFor),
    approvals: { answers, tasks },
  });
  control.onChange(async () => gateway.toolsChanged());
}
