import { createCipheriv, createDecipheriv, hash, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { Caller, Digest, JsonObject } from "@remit/contract";
import { canonicalJson } from "@remit/core";
import type { RpcRequest } from "./rpc-message.ts";

/** What a state is for, and the only request that it may come back with. */
export type StateBinding = {
  /** One kind's state is nothing to another: `approval`, `task`, `upstream-input`. */
  kind: string;
  /** See {@link principalOf}. */
  principal: string;
  /** See {@link requestDigest}. */
  digest: Digest;
};

export type OpenedState =
  /** `known` where it is refused: it was sealed here, for this kind and principal; what is not may be of another kind. `id` is random and its own: what has to be used once is remembered by it, until `expiresAt`. */
  { type: "opened"; id: string; expiresAt: Date; data: JsonObject } | { type: "refused"; known: boolean; reason: string };

/**
 * `requestState` of multi-round-trip requests (MCP 2026-07-28), and every other handle that a client keeps for us. Sealed, so a client can
 * neither read nor change it; good for one principal, one request and a limited time. What comes back is whatever an attacker likes:
 * there is one sentence for all that was not sealed here.
 */
export type RequestStates = {
  seal(binding: StateBinding, data: JsonObject, expiresAt: Date): string;
  open(state: unknown, binding: StateBinding): OpenedState;
};

/** What is said of a state that nobody here knows. */
const foreignState = "requestState is not one of this server's; send it exactly as it was given, or leave it out";

const version = "s1.";
const nonceLength = 12;
const tagLength = 16;
/** Longer ones are not looked at. */
const maxLength = 64 * 1024;

/** @param key 32 bytes, the same on every server: `masterKey.derive("request-state")`. */
export function createRequestStates(options: { key: KeyObject; now: () => Date }): RequestStates {
  return {
    seal(binding, data, expiresAt) {
      const id = randomBytes(16).toString("base64url");
      const plain = JSON.stringify({ id, principal: binding.principal, digest: binding.digest, expires: expiresAt.getTime(), data });
      const nonce = randomBytes(nonceLength);
      const cipher = createCipheriv("aes-256-gcm", options.key, nonce).setAAD(Buffer.from(binding.kind));
      const sealed = Buffer.concat([nonce, cipher.update(plain, "utf8"), cipher.final(), cipher.getAuthTag()]);
      return version + sealed.toString("base64url");
    },

    open(state, binding) {
      const plain = decrypt(options.key, state, binding.kind);
      // Somebody else's is not told apart from one that never was.
      if (plain === null || plain.principal !== binding.principal) return { type: "refused", known: false, reason: foreignState };
      const { id, digest, expires, data } = plain;
      if (digest !== binding.digest) return refused("requestState belongs to another request; retry exactly the request that it answered");
      if (expires <= options.now().getTime()) return refused("requestState has expired; make the request again without it");
      return { type: "opened", id, expiresAt: new Date(expires), data };
    },
  };
}

/**
 * On whose behalf a request is made. A new token of the same agent, in the same place and run, is the same principal; one with more
 * policies too, for what an agent may do is decided for each call and not by whose state it brings.
 */
export function principalOf(caller: Caller): string {
  let principal = principals.get(caller);
  if (principal === undefined) {
    principal = JSON.stringify([caller.agent, caller.environment, caller.run?.id ?? null]);
    principals.set(caller, principal);
  }
  return principal;
}

/** A token's requests have one caller, as long as it is judged by the same registry. */
const principals = new WeakMap<Caller, string>();

/** What a retry has in common with the request that it repeats: everything but the answers, the state and `_meta`. */
export function requestDigest(message: RpcRequest, upstream: string | null): Digest {
  const { inputResponses: _responses, requestState: _state, _meta, ...salient } = message.params;
  return hash("sha256", canonicalJson({ upstream, method: message.method, params: salient }), "hex");
}

type Plain = { id: string; principal: string; digest: string; expires: number; data: JsonObject };

function decrypt(key: KeyObject, state: unknown, kind: string): Plain | null {
  if (typeof state !== "string" || state.length > maxLength || !state.startsWith(version)) return null;
  const text = state.slice(version.length);
  const sealed = Buffer.from(text, "base64url");
  // Node skips what is not base64url; one state must have one spelling.
  if (sealed.length < nonceLength + tagLength || sealed.toString("base64url") !== text) return null;
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, nonceLength), { authTagLength: tagLength });
  decipher.setAAD(Buffer.from(kind)).setAuthTag(sealed.subarray(-tagLength));
  try {
    const plain = Buffer.concat([decipher.update(sealed.subarray(nonceLength, -tagLength)), decipher.final()]);
    return JSON.parse(plain.toString("utf8")) as Plain;
  } catch {
    return null;
  }
}

function refused(reason: string): OpenedState {
  return { type: "refused", known: true, reason };
}
