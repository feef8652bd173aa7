import { actionViewSchema, terminalStates } from "@remit/contract";
import type { ActionView } from "@remit/contract";
import { path, query } from "../client/http-client.ts";
import type { HttpClient } from "../client/http-client.ts";
import { pageSchema } from "../client/page.ts";

const terminal: ReadonlySet<string> = new Set(terminalStates);
const pageOfActions = pageSchema(actionViewSchema);

export type ActionFollower = {
  /** Asks once, and returns what is new or has changed since, oldest first. */
  poll(signal?: AbortSignal): Promise<ActionView[]>;
  all(): ActionView[];
};

/** Follows a run's actions. Pages whose every action has ended are not read again. */
export function followActions(client: HttpClient, runId: string): ActionFollower {
  const seen = new Map<string, ActionView>();
  let from: string | undefined;
  return {
    async poll(signal) {
      const changed: ActionView[] = [];
      let settled = true;
      let cursor = from;
      for (;;) {
        const page = await client.send({
          path: `${path`/v1/runs/${runId}/actions`}${query({ limit: 200, cursor })}`,
          response: pageOfActions,
          ...(signal === undefined ? {} : { signal }),
        });
        for (const action of page.items) {
          if (seen.get(action.id)?.state !== action.state) changed.push(action);
          seen.set(action.id, action);
        }
        settled &&= page.items.every((action) => terminal.has(action.state));
        if (page.next === null) return changed;
        cursor = page.next;
        if (settled) from = cursor;
      }
    },
    all: () => [...seen.values()],
  };
}
