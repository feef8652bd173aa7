import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { ApprovalView } from "@remit/contract";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCommandLine } from "../frame/program.ts";
import { testSurroundings } from "../terminal/surroundings.testing.ts";
import { approvalView } from "./approval.testing.ts";

// A server of one request, which changes between two looks at it: a real one does that too rarely.
let view: ApprovalView;
let votes: unknown[];
let looks: number;
let afterLook: () => void;
const http = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    if (request.method === "POST") votes.push(JSON.parse(Buffer.concat(chunks).toString()));
    else looks += 1;
    const answer = request.method === "POST" ? { ...view, state: "granted" } : view;
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
    afterLook();
  });
});

beforeEach(async () => {
  view = structuredClone(approvalView);
  votes = [];
  looks = 0;
  afterLook = () => undefined;
  await new Promise<void>((listening) => http.listen(0, "127.0.0.1", listening));
});
afterEach(async () => {
  http.closeAllConnections();
  await new Promise((closed) => http.close(closed));
});

async function remit(args: readonly string[], answers?: string) {
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const env = { REMIT_CONFIG_DIR: "/nowhere", REMIT_URL: url };
  const around = testSurroundings(answers === undefined ? { env } : { env, answers });
  return { exit: await runCommandLine(["approvals", ...args], around), out: around.out(), err: around.err() };
}

test("[CTL-28] a person sees all of it again, is asked, and what was shown is what is approved", async () => {
  afterLook = () => {
    view = { ...view, digest: "e".repeat(64), arguments: { to: "somebody@else.example" } };
  };
  const { exit, out, err } = await remit(["approve", view.id, "--comment", "fine"], "y\n");
  expect(exit).toBe(0);
  expect(err).toContain("│ to: kim@customer.example");
  expect(err).toContain("Approve exactly this?");
  expect(looks).toBe(1);
  expect(votes).toEqual([{ vote: "approve", digest: approvalView.digest, comment: "fine" }]);
  expect(out).toBe("Approved: helpdesk__send_email runs now, once.\n");
});

test("[CTL-28] anything but yes is no", async () => {
  for (const answer of ["n\n", "\n", "yess\n", ""]) {
    expect(await remit(["approve", view.id], answer)).toMatchObject({
      exit: 1,
      out: "",
      err: expect.stringContaining("Nothing was decided.") as string,
    });
  }
  expect(votes).toEqual([]);
});

const refusals: { name: string; args: string[]; change?: Partial<ApprovalView>; exit: number; says: string }[] = [
  { name: "nobody can be asked", args: [], exit: 2, says: "pass --digest" },
  { name: "a yes to everything is no look at this", args: ["--yes"], exit: 2, says: "pass --digest" },
  { name: "another thing was seen", args: ["--digest", "f".repeat(64)], exit: 1, says: "for something else" },
  {
    name: "the arguments are gone",
    args: ["--digest", approvalView.digest],
    change: { arguments: null },
    exit: 1,
    says: "cannot be approved",
  },
  {
    name: "it is not theirs to decide",
    args: ["--digest", approvalView.digest],
    change: { you: { mayVote: false, mayDelegate: false, mayCancel: false, vote: null } },
    exit: 4,
    says: "You may not decide this; sam may.",
  },
];

test.each(refusals)("[CTL-28] nothing is approved where $name", async ({ args, change, exit, says }) => {
  view = { ...view, ...change };
  const result = await remit(["approve", view.id, ...args]);
  expect(result).toMatchObject({ exit, out: "" });
  expect(result.err).toContain(says);
  expect(votes).toEqual([]);
});

test("[CTL-28] a script approves what it names, and may deny", async () => {
  expect((await remit(["approve", view.id, "--digest", view.digest, "--json"])).exit).toBe(0);
  expect((await remit(["deny", view.id])).exit).toBe(0);
  expect(votes).toEqual([
    { vote: "approve", digest: view.digest },
    { vote: "deny", digest: view.digest },
  ]);
});
