import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { eventTypesPage, renderEventTypes } from "./event-types-page.ts";

test("docs/event-types.md says the same; if not: npm run docs:events", () => {
  expect(existsSync(eventTypesPage) ? readFileSync(eventTypesPage, "utf8") : "").toBe(renderEventTypes());
});
