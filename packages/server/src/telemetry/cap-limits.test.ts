import { readFileSync } from "node:fs";
import type { RegisteredPolicy } from "@remit/core";
import { expect, test } from "vitest";
import { capLimits } from "./cap-limits.ts";

const example = new URL("../../../../examples/support/policies/customer_support_tier1_v3/obligations.cedar", import.meta.url);
const limitsIn = (text: string) =>
  capLimits({ policies: new Map([["one", { sources: [{ file: "a.cedar", text }] } as unknown as RegisteredPolicy]]) });

test("[OBS-03][CST-01] the limits of budgets are read from the policies that set them", () => {
  expect(limitsIn(readFileSync(example, "utf8"))).toContainEqual({ policy: "cap.refunds_of_the_day", scope: "agent", limit: 60_000 });
});

test.each([
  ['@id("a") @obligation("redact") @params("{}")\npermit (principal, action, resource);'],
  ['@id("a") @obligation("cap") @params("nonsense")\npermit (principal, action, resource);'],
  ['@id("a") @obligation("cap")\npermit (principal, action, resource);'],
  ['// @id("a") @obligation("cap")'],
])("what is no cap that can be read is left out: %s", (text) => {
  expect(limitsIn(text)).toEqual([]);
});
