import type { ConsentChoice, Registry } from "@remit/core";
import { csrfField } from "../http/doorkeeper.ts";
import { html } from "../http/html.ts";
import type { Html } from "../http/html.ts";
import type { ConsentingClient } from "./consents.service.ts";

/** Shown to a stranger; the link back is followed from our own page, so that the browser sends the session's cookie along. */
export function loginFirst(here: string): Html {
  return html`<h1>Log in first</h1>
    <p>A program wants to be connected to Remit. To say which agent it may act as, you have to be logged in here.</p>
    <p>Ask for a link on the machine that runs Remit, and open it in this browser:</p>
    <pre>remit login</pre>
    <p>Then <a href="${here}">go on</a>; so, too, if you are logged in and came here from elsewhere.</p>`;
}

export function gonePage(): Html {
  return html`<h1>This has been answered, or has expired</h1>
    <p>Go back to the program that you want to connect, and start again.</p>`;
}

/** Asks a person which agent a client may act as. */
export function consentPage(page: {
  client: ConsentingClient;
  choices: readonly ConsentChoice[];
  registry: Registry;
  csrf: string;
  problem: string | null;
}): Html {
  const { client, choices } = page;
  const { host } = new URL(client.id);
  const target = new URL(client.redirectUri);
  const deny = html`<form method="post">
    <input type="hidden" name="${csrfField}" value="${page.csrf}" />
    <button type="submit" name="choice" value="no">No, give it nothing</button>
  </form>`;
  return html`<h1>Let a program act as one of your agents?</h1>
    ${page.problem === null ? null : html`<p role="alert"><strong>${page.problem}</strong></p>`}
    <dl>
      <dt>Who asks</dt>
      <dd><strong>${host}</strong>, which calls itself “${client.name}” (<code>${client.id}</code>)</dd>
      <dt>Where the answer goes</dt>
      <dd>
        <code>${target.protocol === "http:" || target.protocol === "https:" ? target.host : target.protocol}</code>${whoListens(target)}
      </dd>
    </dl>
    <p>
      It will act in that agent's name, within what the agent may do, and you answer for it. Go on only if you have started this yourself,
      just now.
    </p>
    ${
      choices.length === 0
        ? html`<p>You answer for no agent that it asks for, so there is nothing that you could give it.</p>`
        : html`<form method="post">
            <input type="hidden" name="${csrfField}" value="${page.csrf}" />
            <fieldset>
              <legend>Act as</legend>
              ${choices.map((choice) => choiceField(choice, page.registry))}
            </fieldset>
            <button type="submit">Yes, for 30 days</button>
          </form>`
    }
    ${deny}`;
}

function choiceField(choice: ConsentChoice, registry: Registry): Html {
  const tier = registry.agents.get(choice.agent)?.spec.tier ?? 0;
  const type = registry.environments.get(choice.environment)?.type ?? "";
  return html`<p>
    <label>
      <input type="radio" name="choice" value="${choiceText(choice)}" required />
      <strong>${choice.agent}</strong> (tier ${tier}) in <strong>${choice.environment}</strong> (${type}), under
      ${choice.policies.join(" and ")}
    </label>
  </p>`;
}

/** How a form names a choice. Names have no slash and no plus. */
export function choiceText({ agent, environment, policies }: ConsentChoice): string {
  return `${agent}/${environment}/${policies.join("+")}`;
}

function whoListens(target: URL): Html | null {
  const isHere = ["127.0.0.1", "[::1]", "localhost"].includes(target.hostname);
  if (isHere) return html`: a program on this computer. Any program here could claim to be the one above.`;
  return target.protocol === "https:" ? null : html`: whichever program on this computer opens such addresses.`;
}
