import type { JsonObject } from "@remit/contract";
import { expect, test } from "vitest";
import { createMasterKey } from "../keys/master-key.ts";
import { testCaller } from "./gateway.testing.ts";
import { createRequestStates, principalOf, requestDigest } from "./request-state.ts";
import type { StateBinding } from "./request-state.ts";

const start = Date.parse("2026-11-21T08:00:00Z");
let time = start;
const key = createMasterKey(Buffer.alloc(32, 1)).derive("request-state");
const states = createRequestStates({ key, now: () => new Date(time) });
const call = (params: JsonObject) => ({ type: "request" as const, id: 1, method: "tools/call", params });
const binding: StateBinding = {
  kind: "approval",
  principal: principalOf(testCaller),
  digest: requestDigest(call({ name: "send_email", arguments: { to: "a" } }), "mail"),
};
const sealed = states.seal(binding, { action: "act_1" }, new Date(start + 60_000));

test("[CTL-22] what was sealed comes back to the same principal with the same request, in any spelling of it", () => {
  const again = requestDigest(
    call({ arguments: { to: "a" }, name: "send_email", requestState: sealed, inputResponses: { a: {} }, _meta: { progressToken: 2 } }),
    "mail",
  );
  const principal = principalOf({ ...testCaller, tokenId: "tok_2", expiresAt: 1, version: "1".repeat(64) });
  expect(states.open(sealed, { kind: "approval", principal, digest: again })).toMatchObject({ type: "opened", data: { action: "act_1" } });
  expect(sealed).not.toContain("act_1");
});

test.each<[string, Partial<StateBinding>, string]>([
  ["another agent", { principal: principalOf({ ...testCaller, agent: "other" }) }, "not one of this server's"],
  ["another environment", { principal: principalOf({ ...testCaller, environment: "production" }) }, "not one of this server's"],
  ["another kind", { kind: "task" }, "not one of this server's"],
  ["other arguments", { digest: requestDigest(call({ name: "send_email", arguments: { to: "b" } }), "mail") }, "another request"],
  ["another tool", { digest: requestDigest(call({ name: "refund", arguments: { to: "a" } }), "mail") }, "another request"],
  ["another upstream", { digest: requestDigest(call({ name: "send_email", arguments: { to: "a" } }), null) }, "another request"],
])("[CTL-22] to %s it is nothing", (_name, other, reason) => {
  expect(states.open(sealed, { ...binding, ...other })).toMatchObject({ type: "refused", reason: expect.stringContaining(reason) });
});

test("[CTL-22] it ends", () => {
  time = start + 60_000;
  expect(states.open(sealed, binding)).toMatchObject({ type: "refused", reason: expect.stringContaining("expired") });
  time = start;
});

test("[CTL-22] no byte of it can be changed, and none can be made without the key", () => {
  const bytes = Buffer.from(sealed.slice(3), "base64url");
  for (let index = 0; index < bytes.length; index += 1) {
    const changed = Buffer.from(bytes);
    changed[index] = (changed[index] ?? 0) ^ 1;
    expect(states.open(`s1.${changed.toString("base64url")}`, binding).type).toBe("refused");
  }
  const forger = createRequestStates({ key: createMasterKey(Buffer.alloc(32, 2)).derive("request-state"), now: () => new Date(time) });
  const forged = [
    forger.seal(binding, {}, new Date(start + 60_000)),
    createRequestStates({ key: createMasterKey(Buffer.alloc(32, 1)).derive("other"), now: () => new Date(time) }).seal(
      binding,
      {},
      new Date(start + 60_000),
    ),
    `${sealed} `,
    `${sealed}=`,
    sealed.slice(3),
    sealed.slice(0, -1),
    "s1.",
    "",
    "a".repeat(70_000),
    undefined,
    null,
    7,
    {},
    [sealed],
  ];
  for (const state of forged) expect(states.open(state, binding)).toMatchObject({ type: "refused" });
});

test("two states of one request are two", () => {
  const twice = [1, 2].map(() => states.open(states.seal(binding, {}, new Date(start + 1)), binding));
  const ids = twice.map((opened) => (opened.type === "opened" ? opened.id : ""));
  expect(new Set(ids).size).toBe(2);
});
