import type { Role } from "@remit/contract";
import { describe, expect, test } from "vitest";
import { holdsRole } from "./roles.ts";

describe("holdsRole", () => {
  test.each<[Role[], Role[], boolean]>([
    [[], [], true],
    [[], ["viewer"], false],
    [["viewer"], ["viewer"], true],
    [["viewer"], ["operator"], false],
    [["operator"], ["viewer"], true],
    [["operator"], ["auditor"], false],
    [["auditor"], ["operator"], false],
    [["auditor"], ["operator", "viewer"], true],
    [["admin"], ["auditor"], true],
    [["viewer", "operator"], ["operator"], true],
  ])("[CTL-24] %j asked for one of %j: %s", (roles, wanted, expected) => {
    expect(holdsRole(roles, wanted)).toBe(expected);
  });
});
