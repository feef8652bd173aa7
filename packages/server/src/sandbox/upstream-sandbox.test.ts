import { expect, test } from "vitest";
import type { Containment } from "@remit/contract";
import { upstreamSpecSchema } from "@remit/contract";
import { examineMachine, uncontained } from "@remit/sandbox";
import { callOf, firstText, fixtureSpec, openFleet, until } from "../upstream/upstreams.testing.ts";
import { newId } from "../id/new-id.ts";
import { createContainmentRecorder } from "./record-containment.ts";

const machine = await examineMachine();

test("[CTL-20] an upstream is contained by default, works as before, and says by what", async ({ skip }) => {
  if (machine.by === null) skip(`this machine contains nothing: ${machine.why}`);
  const started: Containment[] = [];
  const spec = fixtureSpec("up", "raw-server", ["twice"], {}, {});
  await using fleet = openFleet([spec], { onStarted: (_upstream, containment) => void started.push(containment) });
  expect(firstText(await fleet.call(callOf("up", "call")))).toBe("answered");
  const containment = { by: machine.by, files: "declared", network: "none", endsBy: "kernel", because: null };
  expect(fleet.health()).toMatchObject([{ upstream: "up", state: "ready", containment }]);
  expect(started).toEqual([{ ...containment, limits: expect.objectContaining({ memoryMb: 4_096, fileMb: 1_024 }) as object }]);
});

test("[CTL-20][CTL-22] one that does not connect is started once an attempt, and told by what it is contained", async () => {
  const started: Containment[] = [];
  const spec = upstreamSpecSchema.parse({
    kind: "upstream",
    name: "up",
    owner: "ada",
    transport: { type: "stdio", command: "sh", args: ["-c", "echo no database >&2; exit 4"] },
  });
  await using fleet = openFleet([spec], { onStarted: (_upstream, containment) => void started.push(containment) });
  await until(() => (fleet.health()[0]?.restarts ?? 0) >= 2);
  expect(started.length).toBeLessThanOrEqual((fleet.health()[0]?.restarts ?? 0) + 1);
  const error = await fleet.probe(spec).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: "upstream-unavailable",
    message: 'upstream "up" could not be connected: it exited with code 4',
    issues: [
      { message: "stderr: no database" },
      ...(machine.by === null ? [] : [{ message: expect.stringMatching(/^it is contained by .*: no network/) }]),
    ],
  });
});

test("[CTL-20] one that must be contained is not started where the machine cannot", async () => {
  await using fleet = openFleet([], { machine: () => Promise.resolve(uncontained("a test says so")) });
  const required = fixtureSpec("up", "raw-server", ["twice"], {}, { mode: "required" });
  await expect(fleet.probe(required)).rejects.toMatchObject({
    code: "invalid-configuration",
    message: expect.stringMatching(/^upstream "up" cannot be started: .*requires containment.*a test says so$/) as string,
  });
});

test("[CTL-20] the ledger has how each upstream was started, once until it changes", async () => {
  const recorded: unknown[] = [];
  const record = createContainmentRecorder({
    ledger: {
      record: (entry) => {
        recorded.push([entry.type, entry.data]);
        return Promise.resolve();
      },
    },
    now: () => new Date(0),
    newId,
    onError: (error) => recorded.push(error),
  });
  const contained: Containment = { by: "namespaces", files: "declared", network: ["db:5432"], endsBy: "kernel", because: null };
  const bare: Containment = { by: "nothing", files: "everything", network: "open", endsBy: "watcher", because: "it is off" };
  record("crm", contained);
  record("crm", structuredClone(contained));
  record("mail", bare);
  record("crm", bare);
  expect(recorded).toEqual([
    ["upstream-started", { upstream: "crm", containment: contained }],
    ["upstream-started", { upstream: "mail", containment: bare }],
    ["upstream-started", { upstream: "crm", containment: bare }],
  ]);
});
