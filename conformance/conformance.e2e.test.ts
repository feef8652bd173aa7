import { openTestDatabase } from "@remit/server/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { judgeClient } from "./client-leg.ts";
import { revisions } from "./referee.ts";
import { judgeServers } from "./server-leg.ts";
import type { ServerResult } from "./server-leg.ts";
import type { Remit } from "./through/remit.ts";
import { startRemit } from "./through/remit.ts";

let database: Awaited<ReturnType<typeof openTestDatabase>>;
let remit: Remit;

beforeAll(async () => {
  database = await openTestDatabase();
  remit = await startRemit(database.url);
});
afterAll(async () => {
  await remit[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

test("[CTL-39] nothing of what MCP requires of a server is lost on the way through", async () => {
  const results = await judgeServers(
    remit,
    revisions.map((revision) => ({ revision, upstream: revision })),
  );
  const said = ({ revision, required, direct, through, failedDirectly, lost }: ServerResult) => {
    return { revision, required, direct, through, failedDirectly, lost };
  };
  expect(results.map(said)).toEqual([
    { revision: "2025-11-25", required: 30, direct: 30, through: 30, failedDirectly: [], lost: [] },
    { revision: "2026-07-28", required: 37, direct: 37, through: 37, failedDirectly: [], lost: [] },
  ]);
}, 600_000);

test.each([
  { revision: "2025-11-25", required: 18 },
  { revision: "2026-07-28", required: 32 },
] as const)(
  "[CTL-39] towards its upstreams, Remit does what MCP $revision requires of a client",
  async ({ revision, required }) => {
    const { passed, failed } = await judgeClient(remit, revision);
    expect({ passed, failed }).toEqual({ passed: required, failed: [] });
  },
  600_000,
);
