import type { ApprovalView, Json } from "@remit/contract";
import { showHidden } from "@remit/core";
import { csrfField } from "../http/doorkeeper.ts";
import { html } from "../http/html.ts";
import type { Html } from "../http/html.ts";
import { consequence, distance, stateWords } from "./approval-words.ts";

export type PageContext = {
  now: number;
  csrf: string;
  /** Display names of parties. */
  nameOf: (party: string) => string;
  /** To whom the reader may delegate: party and display name. */
  delegates: { party: string; name: string }[];
  /** What went wrong with the form that was sent, as a sentence. */
  problem: string | null;
};

/** Everything that a person needs to decide on one action, whole, and the forms to decide with. */
export function approvalPage(view: ApprovalView, context: PageContext): Html {
  return html`
    ${context.problem === null ? null : html`<div class="card notice bad" role="alert"><p>${context.problem}</p></div>`}
    <h1>${line(view.tool)} <span class="soft">in ${line(view.environment)}</span></h1>
    <p>${consequence(view)}</p>
    ${standing(view, context)}
    <section class="card" aria-labelledby="what">
      <h2 id="what">Exactly what ${view.state === "pending" ? "would run" : "was asked for"}</h2>
      ${argumentList(view)}
    </section>
    <section class="card" aria-labelledby="who">
      <h2 id="who">Who asks, and why</h2>
      ${facts(view, context)}
    </section>
    <section class="card" aria-labelledby="teams">
      <h2 id="teams">Who decides</h2>
      ${teams(view, context)}
    </section>
    ${forms(view, context)}
  `;
}

/** The head of every page. */
export function pageHead(name: string): Html {
  return html`<nav class="top" aria-label="Remit"><a href="/">What waits for you</a><span>${name}</span></nav>`;
}

/** The foot of every page that says what is recorded, or takes what will be: how far the record can be relied on. */
export function pageFoot(anchoring: string): Html {
  return html`<footer class="soft">What is decided here is recorded in the ledger: ${anchoring}</footer>`;
}

/** Text of others on one line: what cannot be seen is written out, so that it cannot turn the sentence around. */
function line(text: string): string {
  return showHidden(text.replaceAll(/\s+/g, " "));
}

function standing(view: ApprovalView, { now, nameOf }: PageContext): Html {
  if (view.state === "pending") {
    return html`<div class="card notice">
      <p>
        <strong>${stateWords(view)}.</strong> It ends by itself, without running, ${distance(view.expiresAt, now)} (<time
          datetime="${view.expiresAt}"
          >${minute(view.expiresAt)}</time
        >).
      </p>
    </div>`;
  }
  const good = view.state === "granted" || view.state === "consumed";
  const denier = view.teams.flatMap((team) => team.votes).find(({ vote }) => vote === "deny");
  return html`<div class="card notice ${good ? "good" : "bad"}">
    <p>
      <strong>${stateWords(view)}.</strong>
      ${denier === undefined ? null : html` By ${line(nameOf(denier.party))}.`}
      ${view.endedReason === null ? null : html` “${line(view.endedReason)}”`}
    </p>
    ${view.outcome === null ? null : html`<p>What came of it: ${line(view.outcome)}</p>`}
  </div>`;
}

function argumentList({ arguments: given }: ApprovalView): Html {
  if (given === null)
    return html`<p>The arguments cannot be shown to you, or have been erased. What cannot be shown cannot be approved.</p>`;
  const all = Object.entries(given);
  if (all.length === 0) return html`<p>No arguments.</p>`;
  return html`<dl class="arguments">
    ${all.map(
      ([name, value]) =>
        html`<dt>${showHidden(name)} <span class="tag">${kindOf(value as Json)}</span></dt>
          <dd><pre tabindex="0">${argumentText(value as Json)}</pre></dd>`,
    )}
  </dl>`;
}

/** Says text from what only looks like it: the text `90` from the number 90. */
function kindOf(value: Json): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "list";
  return typeof value === "string" ? "text" : typeof value === "boolean" ? "yes or no" : typeof value;
}

/** Text as it is, anything else as JSON; whole, and with what cannot be seen written out. */
function argumentText(value: Json): string {
  return showHidden(typeof value === "string" ? (value === "" ? '""' : value) : JSON.stringify(value, null, 2));
}

function facts(view: ApprovalView, { now, nameOf }: PageContext): Html {
  const rows: [string, string | Html][] = [
    ["Agent", line(view.agent)],
    ["Answers for it", line(nameOf(view.accountable))],
    ...(view.subject === null ? [] : [["Working on", line(view.subject)] as [string, string]]),
    ["Why", line(view.reason)],
    ...(view.gates.length === 0 ? [] : [["Policy", line(view.gates.join(", "))] as [string, string]]),
    ["Asked", html`${distance(view.requestedAt, now)} (<time datetime="${view.requestedAt}">${minute(view.requestedAt)}</time>)`],
    ...(view.runId === null ? [] : [["Run", html`<code>${view.runId}</code>`] as [string, Html]]),
    ["Request", html`<code>${view.id}</code>`],
    ["Digest", html`<code>${view.digest}</code>`],
  ];
  return html`<dl>
    ${rows.map(
      ([term, value]) =>
        html`<dt>${term}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;
}

function teams(view: ApprovalView, { now, nameOf }: PageContext): Html {
  return html`<ul class="list">
    ${view.teams.map((team) => {
      const yes = team.votes.filter(({ vote }) => vote === "approve").length;
      const asked =
        team.escalatedTo.length === 0 ? null : html` Nobody answered in time, so ${line(team.escalatedTo.join(", "))} was asked too.`;
      return html`<li>
        <strong>${line(team.team)}</strong>: ${yes} of ${team.quorum} said yes.${asked}
        ${team.votes.map(
          ({ party, vote, at, comment }) =>
            html`<div>
              <span class="tag ${vote === "approve" ? "good" : "bad"}">${vote === "approve" ? "yes" : "no"}</span>
              ${line(nameOf(party))}, ${distance(at, now)}${comment === null ? null : html`: “${line(comment)}”`}
            </div>`,
        )}
        <div class="soft">
          ${view.state === "pending" ? "May decide" : "Asked"}:
          ${team.eligible.length === 0 ? "nobody" : line(team.eligible.map(nameOf).join(", "))}
        </div>
      </li>`;
    })}
    ${view.delegations.map(
      ({ from, to, at }) => html`<li>${line(nameOf(from))} handed the decision to ${line(nameOf(to))} ${distance(at, now)}.</li>`,
    )}
  </ul>`;
}

function forms(view: ApprovalView, context: PageContext): Html | null {
  const { you } = view;
  const said = you.vote === null ? null : html`<p>You said ${you.vote === "approve" ? "yes" : "no"}. It stands.</p>`;
  if (!you.mayVote && !you.mayCancel) return said === null ? null : html`<section class="card">${said}</section>`;
  return html`<section class="card" aria-labelledby="decide">
    <h2 id="decide">Your decision</h2>
    ${said} ${you.mayVote ? voteForm(view, context) : null}
    ${you.mayVote || said !== null || view.state !== "pending" ? null : html`<p>You are not among those who decide this.</p>`}
    ${you.mayDelegate && context.delegates.length > 0 ? delegateForm(view, context) : null}
    ${you.mayCancel ? cancelForm(view, context) : null}
  </section>`;
}

function voteForm(view: ApprovalView, { csrf }: PageContext): Html {
  const blind = view.arguments === null;
  return html`<form method="post" action="/approvals/${view.id}/votes">
    ${hidden(csrfField, csrf)} ${hidden("digest", view.digest)}
    <label for="comment">A word about it (optional; recorded with your decision)</label>
    <textarea id="comment" name="comment" rows="2" maxlength="2000"></textarea>
    <div class="buttons">
      <button type="submit" name="vote" value="deny">Deny</button>
      <button type="submit" name="vote" value="approve" class="primary" ${blind ? { html: 'disabled aria-describedby="blind"' } : null}>
        Approve exactly this
      </button>
    </div>
    ${blind ? html`<p id="blind" class="soft">It cannot be approved, because its arguments cannot be shown.</p>` : null}
  </form>`;
}

function delegateForm(view: ApprovalView, { csrf, delegates }: PageContext): Html {
  return html`<details>
    <summary>Let somebody else decide in your place</summary>
    <form method="post" action="/approvals/${view.id}/delegate">
      ${hidden(csrfField, csrf)}
      <label for="to">Who</label>
      <select id="to" name="to" required>
        <option value="">Choose a person</option>
        ${delegates.map(({ party, name }) => html`<option value="${party}">${line(name)}</option>`)}
      </select>
      <button type="submit">Hand over</button>
    </form>
  </details>`;
}

function cancelForm(view: ApprovalView, { csrf }: PageContext): Html {
  return html`<details>
    <summary>Call the request off</summary>
    <form method="post" action="/approvals/${view.id}/cancel">
      ${hidden(csrfField, csrf)}
      <label for="reason">Why</label>
      <input id="reason" name="reason" required maxlength="2000" />
      <button type="submit">Call it off</button>
    </form>
  </details>`;
}

function hidden(name: string, value: string): Html {
  return html`<input type="hidden" name="${name}" value="${value}" />`;
}

/** `2026-11-21 14:05 UTC`: a page without scripts does not know where its reader is. */
function minute(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}
