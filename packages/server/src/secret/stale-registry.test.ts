import { RemitError } from "@remit/contract";
import { buildRegistry } from "@remit/core/testing";
import { expect, test } from "vitest";
import { openTestCredentials, patient, requestOf, testBy, testCredential, testUpstream } from "./secret.testing.ts";

test("[CTL-07][CTL-23] while the control state cannot be confirmed, a credential is refused for that reason, and what is lent is not taken for changed", async () => {
  const upstream = testUpstream("crm", "crm-token");
  const stored = (secret: string) => testCredential("crm-token", { type: "secret", secret }, { type: "bearer" });
  let registry = buildRegistry({ upstreams: [upstream], credentials: [stored("crm/token")] });
  let isStale = false;
  const current = () => {
    if (isStale) throw new RemitError("control-state-stale", "the control state was last confirmed long ago");
    return registry;
  };
  await using it = await openTestCredentials([upstream], [stored("crm/token")], { registry: { current } });
  await it.secrets.set({ path: "crm/token", value: "a-token-of-the-crm" }, "party:ada");
  const lease = await it.broker.lease(requestOf(upstream, testBy()), patient());
  expect(lease?.ended.aborted).toBe(false);

  isStale = true;
  await expect(it.broker.lease(requestOf(upstream, testBy({ agent: "other-agent" })), patient())).rejects.toMatchObject({
    code: "control-state-stale",
  });
  await it.broker.lookAgain();
  expect(lease?.ended.aborted).toBe(false);

  // Once it is confirmed again, what has changed meanwhile is found.
  registry = buildRegistry({ upstreams: [upstream], credentials: [stored("crm/other")] });
  isStale = false;
  await it.broker.lookAgain();
  expect(lease?.ended.aborted).toBe(true);
});
