import { createHmac, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";

/** What begins a secret and a public key, by the Standard Webhooks specification (https://www.standardwebhooks.com). */
export const webhookSecretPrefix = "whsec_";
export const webhookPublicKeyPrefix = "whpk_";

export type WebhookKeys = {
  /** Bytes of the secrets in force, the newest first. */
  secrets: readonly Buffer[];
  /** Signs as `v1a`. */
  privateKey: KeyObject;
};

/** The three headers of a message. While a secret takes over from another both sign: whichever the receiver has, one of them fits. */
export function webhookHeaders(
  message: { id: string; timestamp: number; body: string },
  { secrets, privateKey }: WebhookKeys,
): Record<"webhook-id" | "webhook-timestamp" | "webhook-signature", string> {
  const signed = Buffer.from(`${message.id}.${message.timestamp}.${message.body}`);
  const symmetric = secrets.map((secret) => `v1,${createHmac("sha256", secret).update(signed).digest("base64")}`);
  return {
    "webhook-id": message.id,
    "webhook-timestamp": String(message.timestamp),
    "webhook-signature": [...symmetric, `v1a,${sign(null, signed, privateKey).toString("base64")}`].join(" "),
  };
}

/** The 32 bytes of an Ed25519 public key, in the form in which receivers are given it. */
export function webhookPublicKey(publicKey: KeyObject): string {
  return webhookPublicKeyPrefix + publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("base64");
}
