import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { Remit } from "../through/remit.ts";

const begunSchema = z.object({ authorizationUrl: z.url() });

/** Lets Remit in at an upstream as its operator does: a browser goes to the authorization server, which consents at once, and comes back. */
export async function connect(remit: Remit, upstream: string): Promise<void> {
  const { authorizationUrl } = begunSchema.parse(await remit.post("/v1/connections", { upstream }));
  let page = await fetch(authorizationUrl);
  for (const deadline = Date.now() + 60_000; !page.ok; page = await fetch(page.url)) {
    const said = textOf(await page.text());
    // A busy machine may leave a server without its control state for a moment: whoever sees that loads the page again.
    if (!said.includes("control state") || Date.now() > deadline)
      throw new Error(`${new URL(page.url).pathname} said ${page.status}: ${said}`);
    await delay(250);
  }
}

const connectionsSchema = z.object({ items: z.array(z.object({ upstream: z.string(), state: z.string() })) });

/** Whether somebody has to consent again, as Remit tells whoever asks. */
export async function wantsConsent(remit: Remit, upstream: string): Promise<boolean> {
  const { items } = connectionsSchema.parse(await remit.get("/v1/connections"));
  return items.some((item) => item.upstream === upstream && item.state !== "connected");
}

function textOf(page: string): string {
  const main = /<main[^>]*>([\s\S]*)<\/main>/.exec(page)?.[1] ?? page;
  return main
    .replaceAll(/<[^>]+>/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim()
    .slice(0, 500);
}
