import { expect, test } from "vitest";
import { createActionPath } from "../action/action.pipeline.ts";
import { createUntraced } from "../telemetry/untraced.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import { openTestPrivacy } from "./privacy.testing.ts";

test("[DAT-14] spans tell of arguments what their tool declares to be loggable, looked through, and nothing of any other", async () => {
  await using remit = await openTestPrivacy({ tools: [{ name: "send_email", loggable: ["/subject"] }] });
  const told: unknown[] = [];
  const untraced = createUntraced();
  const tracing: Tracing = {
    ...untraced,
    exporting: true,
    semconv: "1.41.0",
    start(name, options) {
      told.push([name, options]);
      return { ...untraced.start(name, options), set: (more) => void told.push(more) };
    },
  };
  const path = createActionPath({ ...remit.deps, tracing });
  const call = { to: "kim@example.org", subject: "card 4111 1111 1111 1111", body: "canary" };
  const signal = new AbortController().signal;
  expect(await path.act(remit.caller, { tool: "helpdesk__send_email", arguments: call, signal })).toMatchObject({ type: "succeeded" });
  expect(await path.act(remit.caller, { tool: "helpdesk__tickets.read", arguments: { id: "canary" }, signal })).toMatchObject({
    type: "succeeded",
  });
  expect(told).toContainEqual(expect.objectContaining({ "gen_ai.tool.call.arguments": '{"subject":"card [redacted]"}' }));
  expect(JSON.stringify(told)).not.toMatch(/canary|4111|kim@/);
});
