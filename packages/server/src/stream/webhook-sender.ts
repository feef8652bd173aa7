import { eventMediaType } from "@remit/contract";
import type { Outbound } from "../outbound/outbound.ts";
import { webhookHeaders } from "./webhook-signature.ts";
import type { WebhookKeys } from "./webhook-signature.ts";

export type Sent = {
  delivered: boolean;
  /** The endpoint wants no more, ever (HTTP 410). */
  gone: boolean;
  status: number | null;
  /** Why it does not count as delivered, as a sentence. */
  reason: string | null;
  /** The endpoint asked to be left alone for so long. */
  retryAfterMs: number | null;
  durationMs: number;
};

export type WebhookSender = (to: { url: string; keys: WebhookKeys }, event: { id: string }, signal?: AbortSignal) => Promise<Sent>;

const longestRetryAfterMs = 24 * 3_600_000;

/** Sends one event: signed, to what the outbound rules let through, and never on to where a redirect points. */
export function createWebhookSender(deps: { outbound: Outbound; now: () => Date; timeoutMs?: number }): WebhookSender {
  return async ({ url, keys }, event, signal) => {
    const body = JSON.stringify(event);
    const began = performance.now();
    const result = await deps.outbound.fetch({
      url,
      method: "POST",
      headers: {
        "content-type": `${eventMediaType}; charset=utf-8`,
        "user-agent": "Remit-Webhooks/1",
        ...webhookHeaders({ id: event.id, timestamp: Math.floor(deps.now().getTime() / 1_000), body }, keys),
      },
      body,
      accept: ["*/*"],
      statusOnly: true,
      timeoutMs: deps.timeoutMs ?? 15_000,
      ...(signal === undefined ? {} : { signal }),
    });
    const durationMs = Math.round(performance.now() - began);
    if (result.type === "refused") {
      return { delivered: false, gone: false, status: null, reason: result.reason, retryAfterMs: null, durationMs };
    }
    const { status, headers } = result;
    const delivered = status >= 200 && status <= 299;
    return {
      delivered,
      gone: status === 410,
      status,
      reason: delivered ? null : `The endpoint answered ${status}`,
      retryAfterMs: delivered ? null : retryAfter(headers["retry-after"], deps.now()),
      durationMs,
    };
  };
}

/** RFC 9110: seconds, or a date. */
function retryAfter(text: string | undefined, now: Date): number | null {
  if (text === undefined) return null;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now.getTime();
  return Number.isNaN(ms) || ms <= 0 ? null : Math.min(ms, longestRetryAfterMs);
}
