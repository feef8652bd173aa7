import { randomBytes } from "node:crypto";
import type { JsonObject } from "@remit/contract";
import { errors } from "oidc-provider";
import type { Adapter, AdapterPayload } from "oidc-provider";
import type { OAuthRecords } from "./oauth-records.ts";
import { hashOf } from "./secret-token.ts";

/** What oidc-provider keeps. Whatever else it wanted to keep would mean that a feature is on by mistake. */
const kept = new Set(["Session", "Interaction", "Grant", "AuthorizationCode", "RefreshToken"]);

/** oidc-provider insists on a secret for a client that has one. Nobody knows this one, not even the next start. */
const standIn = randomBytes(32).toString("base64url");

/**
 * Where oidc-provider finds clients and keeps what an authorization needs. Agents of the registry are clients by their names; a client
 * that is a URL is not looked for here. What its holder shows to be let in is stored as a hash, and given back from what he showed.
 */
export function createOAuthAdapter(
  model: string,
  deps: { isAgent(name: string): boolean; records: OAuthRecords; now: () => Date },
): Adapter {
  const { records, now } = deps;
  const unused = async (): Promise<never> => {
    throw new Error(`oidc-provider wanted to store a ${model}`);
  };
  const none = {
    upsert: unused,
    findByUserCode: unused,
    findByUid: unused,
    consume: unused,
    destroy: unused,
    // Asked of every kind that belongs to a grant, whether any is kept or not.
    revokeByGrantId: async () => undefined,
  };
  if (model === "Client") return { ...none, find: async (name) => (deps.isAgent(name) ? agentAsClient(name) : undefined) };
  if (!kept.has(model)) return { ...none, find: unused };
  return {
    ...none,
    async upsert(id, payload, expiresIn) {
      const { jti: _shown, ...rest } = payload;
      const grantId = model === "Grant" ? id : (payload.grantId ?? null);
      const expiresAt = new Date(now().getTime() + (expiresIn ?? 600) * 1000);
      await records.put({ model, key: hashOf(id), payload: rest as JsonObject, grantId, expiresAt });
    },
    async find(id) {
      const found = await records.find(model, hashOf(id), now());
      if (found === null) return undefined;
      const consumed = found.consumedAt === null ? {} : { consumed: Math.floor(found.consumedAt.getTime() / 1000) };
      return { ...found.payload, jti: id, ...consumed };
    },
    async consume(id) {
      // Two that come at once have both found it unused; one of them is told so here.
      if (!(await records.consume(model, hashOf(id), now()))) throw new errors.InvalidGrant("it has been used already");
    },
    destroy: (id) => records.remove(model, hashOf(id)),
    revokeByGrantId: (grantId) => records.removeGrant(grantId),
  };
}

function agentAsClient(name: string): AdapterPayload {
  return {
    client_id: name,
    client_secret: standIn,
    token_endpoint_auth_method: "client_secret_basic",
    grant_types: ["client_credentials"],
    response_types: [],
    redirect_uris: [],
  };
}
