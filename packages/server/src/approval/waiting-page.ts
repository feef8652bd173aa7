import type { ApprovalView } from "@remit/contract";
import { showHidden } from "@remit/core";
import { html } from "../http/html.ts";
import type { Html } from "../http/html.ts";
import { consequence, distance, stateWords } from "./approval-words.ts";

/** What waits for one person, what waits for others, and what was decided last. */
export function waitingPage(pending: readonly ApprovalView[], decided: readonly ApprovalView[], now: number): Html {
  const yours = pending.filter(({ you }) => you.mayVote);
  const others = pending.filter(({ you }) => !you.mayVote);
  return html`
    <h1>
      ${yours.length === 0 ? "Nothing waits for you" : yours.length === 1 ? "One decision waits for you" : `${yours.length} decisions wait for you`}
    </h1>
    ${
      yours.length === 0
        ? html`<p class="soft">
            When an agent needs your approval, it appears here. On the command line: <code>remit approvals list</code>
          </p>`
        : section("Yours", yours, now)
    }
    ${others.length === 0 ? null : section("Waiting for others", others, now)}
    ${decided.length === 0 ? null : section("Lately", decided, now)}
  `;
}

function section(title: string, views: readonly ApprovalView[], now: number): Html {
  const id = title.toLowerCase().replaceAll(" ", "-");
  return html`<section class="card" aria-labelledby="${id}">
    <h2 id="${id}">${title}</h2>
    <ul class="list">
      ${views.map((view) => item(view, now))}
    </ul>
  </section>`;
}

function item(view: ApprovalView, now: number): Html {
  const line = (text: string): string => showHidden(text.replaceAll(/\s+/g, " "));
  const when = view.state === "pending" ? `expires ${distance(view.expiresAt, now)}` : stateWords(view).toLowerCase();
  return html`<li>
    <a href="/approvals/${view.id}"><strong>${line(view.tool)}</strong> in ${line(view.environment)}</a>
    ${view.subject === null ? null : html`<div>${line(view.subject)}</div>`}
    <div class="soft">
      ${line(view.agent)} asks ${view.teams.map(({ team }) => team).join(", ")}; ${when}.
      ${view.state === "pending" ? consequence(view) : null}
    </div>
  </li>`;
}
