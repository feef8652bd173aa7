import { RemitError } from "@remit/contract";
import { z } from "zod";
import type { Backend, Material } from "./backend.ts";
import type { VaultAuth } from "./leases.ts";
import type { Secrets } from "./secrets.ts";

const timeoutMs = 10_000;
const maxBytes = 1024 * 1024;

/** What the documented HTTP API of HashiCorp Vault answers, as far as it is used. */
const loginSchema = z.object({ auth: z.object({ client_token: z.string().min(1), lease_duration: z.number() }) });
const kvSchema = z.object({ data: z.object({ data: z.record(z.string(), z.unknown()), metadata: z.object({ version: z.int() }) }) });
const leaseSchema = z.object({
  lease_id: z.string().min(1),
  lease_duration: z.number(),
  renewable: z.boolean(),
  data: z.record(z.string(), z.unknown()),
});
const renewedSchema = z.object({ lease_id: z.string(), lease_duration: z.number() });

type Place = { address: string; namespace?: string | null | undefined; auth: VaultAuth };

/**
 * HashiCorp Vault by its HTTP API: KV version 2, and leases of dynamic secrets, which are renewed and revoked there. Written against the
 * documented API and tested against a fake of it, not against a Vault.
 */
export function createVaultBackend({ secrets, now }: { secrets: Pick<Secrets, "open">; now: () => Date }): Backend {
  async function ask<Schema extends z.ZodType>(
    place: Place,
    token: string | null,
    method: "GET" | "POST" | "PUT",
    path: string,
    body: object | null,
    schema: Schema,
  ): Promise<z.infer<Schema>> {
    const fail = (what: string, cause?: number) =>
      new RemitError(
        cause === 404 ? "credential-missing" : "credential-unavailable",
        `the Vault at ${new URL(place.address).origin} ${what}; nothing was sent`,
      );
    let response: Response;
    try {
      response = await fetch(new URL(`/v1/${path}`, place.address), {
        method,
        headers: {
          // Vault refuses what a browser could be made to send; this says that it is no browser.
          "x-vault-request": "true",
          ...(token === null ? {} : { "x-vault-token": token }),
          ...(place.namespace == null ? {} : { "x-vault-namespace": place.namespace }),
          ...(body === null ? {} : { "content-type": "application/json" }),
        },
        ...(body === null ? {} : { body: JSON.stringify(body) }),
        redirect: "error",
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch {
      throw fail("could not be reached");
    }
    const text = await response.text();
    if (text.length > maxBytes) throw fail("answered with more than 1 MiB");
    // Vault's own words may repeat what they were asked with.
    if (!response.ok) throw fail(`answered HTTP ${response.status} to ${method} ${path}`, response.status);
    const parsed = schema.safeParse(text === "" ? {} : (JSON.parse(text) as unknown));
    if (!parsed.success) throw fail(`gave an answer to ${method} ${path} that is not the documented one`);
    return parsed.data;
  }

  async function tokenFor(place: Place): Promise<string> {
    const { auth } = place;
    const secret = (await secrets.open(auth.secret)).value.trim();
    if (auth.type === "token") return secret;
    const login = await ask(
      place,
      null,
      "POST",
      `auth/${segments(auth.mount)}/login`,
      { role_id: auth.roleId, secret_id: secret },
      loginSchema,
    );
    return login.auth.client_token;
  }

  return {
    async issue({ credential: { from }, until, willUndo }): Promise<Material> {
      if (from.type !== "vault") throw new Error("no Vault");
      const place: Place = from;
      const rests = [{ path: from.auth.secret, version: (await secrets.open(from.auth.secret)).version }];
      const token = await tokenFor(place);
      if (from.read.type === "kv") {
        const read = await ask(place, token, "GET", `${segments(from.read.mount)}/data/${segments(from.read.path)}`, null, kvSchema);
        return { fields: texts(read.data.data), open: [], rests, expiresAt: null };
      }
      const leased = await ask(place, token, "GET", segments(from.read.path), null, leaseSchema);
      const { address, auth, namespace = null } = from;
      // Vault makes the lease and its id at once: should this fail, it ends by itself with its own time to live.
      await willUndo({ type: "vault", address, namespace, auth, leaseId: leased.lease_id });
      const expiresAt = new Date(Math.min(until.getTime(), now().getTime() + leased.lease_duration * 1_000));
      return { fields: texts(leased.data), open: ["username"], rests, expiresAt };
    },

    async undo(undo) {
      if (undo.type !== "vault") return;
      const token = await tokenFor(undo);
      await ask(undo, token, "PUT", "sys/leases/revoke", { lease_id: undo.leaseId }, z.unknown());
    },

    async renew({ credential: { from }, until, undos }) {
      if (from.type !== "vault") return null;
      if (from.read.type === "kv") return until;
      const token = await tokenFor(from);
      const ids = undos.flatMap((undo) => (undo.type === "vault" && undo.address === from.address ? [undo.leaseId] : []));
      let expiresAt = until;
      for (const leaseId of ids) {
        const increment = Math.ceil((until.getTime() - now().getTime()) / 1_000);
        const renewed = await ask(from, token, "PUT", "sys/leases/renew", { lease_id: leaseId, increment }, renewedSchema);
        expiresAt = new Date(Math.min(expiresAt.getTime(), now().getTime() + renewed.lease_duration * 1_000));
      }
      return expiresAt;
    },
  };
}

/** A path of Vault, with nothing in it that leads elsewhere. */
function segments(path: string): string {
  return path
    .split("/")
    .filter((part) => part !== "" && part !== "." && part !== "..")
    .map(encodeURIComponent)
    .join("/");
}

function texts(data: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).flatMap(([name, value]) =>
      typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? [[name, String(value)]] : [],
    ),
  );
}
