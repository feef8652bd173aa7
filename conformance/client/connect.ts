import { z } from "zod";
import type { Remit } from "../through/remit.ts";

const begunSchema = z.object({ authorizationUrl: z.url() });

/** Lets Remit in at an upstream as its operator does: a browser goes to the authorization server, which consents at once, and comes back. */
export async function connect(remit: Remit, upstream: string): Promise<void> {
  const { authorizationUrl } = begunSchema.parse(await remit.post("/v1/connections", { upstream }));
  const page = await fetch(authorizationUrl);
  if (!page.ok) throw new Error(`${new URL(page.url).pathname} said ${page.status}: ${textOf(await page.text())}`);
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
