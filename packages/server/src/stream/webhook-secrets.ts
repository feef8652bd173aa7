import { randomBytes } from "node:crypto";
import { openSecret, sealSecret } from "../secret/secret-envelope.ts";
import type { MasterKey } from "../keys/master-key.ts";
import type { StoredWebhookSecret } from "./webhook.store.ts";
import { webhookSecretPrefix } from "./webhook-signature.ts";

/** 192 bits, as the specification advises at least. */
const secretLength = 32;

export function newWebhookSecret(): string {
  return webhookSecretPrefix + randomBytes(secretLength).toString("base64");
}

/** What the secret signs with. */
export function webhookSecretBytes(secret: string): Buffer {
  return Buffer.from(secret.slice(webhookSecretPrefix.length), "base64");
}

export function sealWebhookSecret(masterKey: MasterKey, id: string, version: number, secret: string): Buffer {
  return sealSecret(masterKey, webhookSecretPlace(id, version), secret);
}

/** @throws RemitError `database-mismatch` */
export function openWebhookSecret(masterKey: MasterKey, id: string, { version, sealed }: StoredWebhookSecret): string {
  return openSecret(masterKey, webhookSecretPlace(id, version), sealed);
}

/** What a version of an endpoint's secret is sealed as. */
export function webhookSecretPlace(id: string, version: number): string {
  return `webhook ${id} ${version}`;
}
