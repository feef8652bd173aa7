import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { Relay } from "./relay.ts";
import { callOf, firstText, fixtureSpec, isAlive, openFleet, until } from "./upstreams.testing.ts";

describe("[CTL-39] calls over stdio", () => {
  test.each([
    ["an upstream of both eras", "fixture-server"],
    ["an upstream that knows the handshake only", "legacy-server"],
  ] as const)("%s is listed and called", async (_, fixture) => {
    await using fleet = openFleet([fixtureSpec("up", fixture)]);
    const offered = await fleet.offered("up");
    expect(offered.find((tool) => tool.name === "echo")).toMatchObject({ description: "Says it back", inputSchema: { type: "object" } });
    const result = await fleet.call(callOf("up", "echo", { text: "héllo" }));
    expect(result).toMatchObject({ content: [{ type: "text", text: "héllo" }] });
    expect(fleet.health()).toMatchObject([{ upstream: "up", state: "ready", restarts: 0, error: null }]);
  });

  test("what it gives back passes untouched: binary, embedded, linked, structured, _meta", async () => {
    await using fleet = openFleet([fixtureSpec("up", "fixture-server")]);
    const binary = await fleet.call(callOf("up", "binary"));
    expect(binary.content.map((item) => item["type"])).toEqual(["image", "resource", "resource_link"]);
    expect(binary.content[0]).toMatchObject({ mimeType: "image/png", annotations: { priority: 0.5 } });
    expect(binary._meta).toMatchObject({ "example.com/kept": { deep: [1, 2, 3] } });
    expect(binary).not.toHaveProperty("resultType");
    expect(await fleet.call(callOf("up", "structured"))).toMatchObject({ structuredContent: { total: 3 } });
    expect(await fleet.call(callOf("up", "fail"))).toMatchObject({ isError: true });
  });

  test("members that we do not know are kept in what it offers", async () => {
    await using fleet = openFleet([fixtureSpec("up", "raw-server")]);
    expect((await fleet.offered("up"))[0]?.raw).toMatchObject({ name: "call", "x-extra": { kept: true } });
  });

  test("the trace context goes along, no token does", async () => {
    await using fleet = openFleet([fixtureSpec("up", "fixture-server")]);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
    const result = await fleet.call({ ...callOf("up", "meta"), traceparent });
    expect(JSON.parse(firstText(result))).toMatchObject({ traceparent });
  });

  test("[CTL-21] it is started with PATH, HOME, LANG and what is declared, and nothing else of ours", async () => {
    const spec = fixtureSpec("up", "fixture-server");
    if (spec.transport.type !== "stdio") throw new Error("unreachable");
    spec.transport.env = { GREETING: "hi" };
    spec.transport.passEnv = ["PASSED"];
    const environment = {
      PATH: process.env["PATH"],
      HOME: "/home/x",
      LANG: "C",
      PASSED: "on",
      REMIT_MASTER_KEY: "k",
      DATABASE_URL: "postgres://x",
      AWS_SECRET_ACCESS_KEY: "s",
    };
    await using fleet = openFleet([spec], { environment });
    const seen = JSON.parse(firstText(await fleet.call(callOf("up", "environment")))) as Record<string, string>;
    expect(seen).toEqual({ PATH: process.env["PATH"], HOME: "/home/x", LANG: "C", GREETING: "hi", PASSED: "on" });
  });

  test.each(["REMIT_MASTER_KEY", "DATABASE_URL", "PGPASSWORD"])("passEnv cannot hand out %s", async (name) => {
    const spec = fixtureSpec("up", "fixture-server");
    if (spec.transport.type !== "stdio") throw new Error("unreachable");
    spec.transport.passEnv = [name];
    await using fleet = openFleet([]);
    await expect(fleet.probe(spec)).rejects.toMatchObject({
      code: "invalid-configuration",
      message: expect.stringContaining(name) as string,
    });
  });
});

describe("[CTL-21] upstreams that misbehave", () => {
  test.each([
    ["noisy", "answered"],
    ["twice", "answered"],
  ])("%s: the answer is found", async (manner, answer) => {
    await using fleet = openFleet([fixtureSpec("up", "raw-server", [manner])]);
    expect(firstText(await fleet.call(callOf("up", "call")))).toBe(answer);
    expect(firstText(await fleet.call(callOf("up", "call")))).toBe(answer);
    expect(fleet.health()[0]?.restarts).toBe(0);
  });

  test("a member whose name it escapes is found by its name, whatever was read before", async () => {
    await using fleet = openFleet([fixtureSpec("up", "raw-server", ["escaping"])]);
    await fleet.offered("up");
    for (let time = 0; time < 3; time += 1) JSON.parse(String.raw`{"lately":1,"stra\\u":1}`);
    expect(await fleet.call(callOf("up", "call"))).toMatchObject({ structuredContent: { lately: 1, straße: "Elm Street" } });
  });

  test.each([
    ["error", "upstream-error", "-32050: the ledger is closed"],
    ["shapeless", "upstream-error", "content is no array"],
    ["input-required", "upstream-error", "asks for input"],
  ])("%s is told as %s", async (manner, code, words) => {
    await using fleet = openFleet([fixtureSpec("up", "raw-server", [manner])]);
    await expect(fleet.call(callOf("up", "call"))).rejects.toMatchObject({ code, message: expect.stringContaining(words) as string });
    await expect(fleet.call(callOf("up", "call"))).rejects.toMatchObject({ message: expect.stringContaining('"up"') as string });
  });

  test("[RUN-18] an answer to another request is no answer: the call times out", async () => {
    await using fleet = openFleet([fixtureSpec("up", "raw-server", ["wrong-id"])]);
    await fleet.offered("up");
    await expect(fleet.call({ ...callOf("up", "call"), timeoutMs: 300 })).rejects.toMatchObject({ code: "upstream-timeout" });
  });

  test("one that exits on the question for its revision is shaken hands with at the next attempt", async () => {
    await using fleet = openFleet([fixtureSpec("up", "raw-server", ["exits-on-probe"])]);
    expect(await fleet.nextOffer("up")).toHaveLength(1);
    expect(fleet.health()).toMatchObject([{ state: "ready", restarts: 1 }]);
    expect(await fleet.probe(fixtureSpec("candidate", "raw-server", ["exits-on-probe"]))).toHaveLength(1);
  });

  test("a list without an end is refused", async () => {
    await using fleet = openFleet([fixtureSpec("up", "raw-server", ["endless-pages"])]);
    await expect(fleet.offered("up")).rejects.toMatchObject({
      code: "upstream-error",
      message: expect.stringContaining("without an end") as string,
    });
  });

  test("an answer over 10 MB is dropped and told; the upstream stays", async () => {
    await using fleet = openFleet([fixtureSpec("up", "fixture-server")]);
    await expect(fleet.call(callOf("up", "huge", { bytes: 11 * 1024 * 1024 }))).rejects.toMatchObject({
      code: "upstream-error",
      message: expect.stringContaining("more than 10 MB") as string,
    });
    expect(firstText(await fleet.call(callOf("up", "huge", { bytes: 1_000_000 })))).toHaveLength(1_000_000);
    expect(fleet.health()[0]?.restarts).toBe(0);
  });

  test("one that cannot be started says so with its last words, and holds up no other", async () => {
    await using fleet = openFleet([fixtureSpec("bad", "raw-server", ["broken"]), fixtureSpec("good", "raw-server", ["twice"])]);
    await expect(fleet.call(callOf("bad", "call"))).rejects.toMatchObject({
      code: "upstream-unavailable",
      message: expect.stringContaining("nothing was sent") as string,
    });
    expect(firstText(await fleet.call(callOf("good", "call")))).toBe("answered");
    const bad = fleet.health().find((health) => health.upstream === "bad");
    expect(bad?.error).toContain("exited with code 1");
    expect(bad?.stderr.join("\n")).toContain("cannot find module 'nothing'");
  });

  test("a program that does not exist is told", async () => {
    const spec = fixtureSpec("up", "raw-server");
    if (spec.transport.type !== "stdio") throw new Error("unreachable");
    spec.transport.command = "/nowhere/to-be-found";
    await using fleet = openFleet([]);
    await expect(fleet.probe(spec)).rejects.toMatchObject({
      code: "upstream-unavailable",
      message: expect.stringContaining("ENOENT") as string,
    });
  });
});

describe("[CTL-21] timeouts, cancellation, concurrency", () => {
  test("aborting a call cancels it at the upstream", async () => {
    await using fleet = openFleet([fixtureSpec("up", "fixture-server")]);
    const aborting = new AbortController();
    const call = fleet.call(callOf("up", "slow", { ms: 60_000 }, aborting.signal));
    await until(() => fleet.health()[0]?.stderr.includes("slow began") === true);
    aborting.abort();
    await expect(call).rejects.toMatchObject({ code: "cancelled" });
    await until(() => fleet.health()[0]?.stderr.includes("slow was cancelled") === true);
    expect(firstText(await fleet.call(callOf("up", "echo", { text: "still here" })))).toBe("still here");
  });

  test("a call that takes too long ends as a timeout and is cancelled at the upstream", async () => {
    await using fleet = openFleet([fixtureSpec("up", "fixture-server")]);
    await fleet.offered("up");
    const call = fleet.call({ ...callOf("up", "slow", { ms: 60_000 }), timeoutMs: 500 });
    await expect(call).rejects.toMatchObject({ code: "upstream-timeout", message: expect.stringContaining("500 ms") as string });
    await until(() => fleet.health()[0]?.stderr.includes("slow was cancelled") === true);
  });

  test("a call aborted before it is made sends nothing", async () => {
    await using fleet = openFleet([fixtureSpec("up", "fixture-server")]);
    await expect(fleet.call(callOf("up", "echo", { text: "x" }, AbortSignal.abort()))).rejects.toMatchObject({ code: "cancelled" });
  });

  test("[RUN-15] more calls than places wait, more than may wait are refused", async () => {
    await using fleet = openFleet([fixtureSpec("up", "fixture-server", [], { concurrency: 1 })]);
    await fleet.offered("up");
    const aborting = new AbortController();
    const calls = Array.from({ length: 10 }, () =>
      fleet.call(callOf("up", "slow", { ms: 60_000 }, aborting.signal)).catch((error: unknown) => error),
    );
    const refused = await calls[9];
    expect(refused).toMatchObject({ code: "upstream-busy", message: expect.stringContaining("busy") as string });
    aborting.abort();
    for (const outcome of await Promise.all(calls.slice(0, 9))) expect(outcome).toMatchObject({ code: "cancelled" });
    expect(firstText(await fleet.call(callOf("up", "echo", { text: "free" })))).toBe("free");
  });
});

describe("[CTL-21][OBS-09] life, death and health of a child", () => {
  test("a crash during a call: its outcome is unknown, its last words are kept, it is started again", async () => {
    await using fleet = openFleet([fixtureSpec("up", "fixture-server")]);
    await fleet.offered("up");
    const back = fleet.nextOffer("up");
    await expect(fleet.call(callOf("up", "crash"))).rejects.toMatchObject({
      code: "outcome-unknown",
      message: expect.stringContaining("exited with code 3") as string,
    });
    expect(fleet.health()[0]?.stderr.join("\n")).toContain("about to crash: red");
    await back;
    await until(() => fleet.health()[0]?.state === "ready");
    expect(fleet.health()[0]?.restarts).toBe(1);
    expect(firstText(await fleet.call(callOf("up", "echo", { text: "back" })))).toBe("back");
  });

  test("kill -9 during a call is the same", async () => {
    await using fleet = openFleet([fixtureSpec("up", "fixture-server")]);
    const [pid] = JSON.parse(firstText(await fleet.call(callOf("up", "pids")))) as [number, number];
    const call = fleet.call(callOf("up", "slow", { ms: 60_000 }));
    await until(() => fleet.health()[0]?.stderr.includes("slow began") === true);
    process.kill(pid, "SIGKILL");
    await expect(call).rejects.toMatchObject({ code: "outcome-unknown", message: expect.stringContaining("SIGKILL") as string });
  });

  test("stopping ends the child and whatever it has started", async () => {
    const fleet = openFleet([fixtureSpec("up", "fixture-server")]);
    const pids = JSON.parse(firstText(await fleet.call(callOf("up", "pids")))) as number[];
    expect(pids.every(isAlive)).toBe(true);
    await fleet.stop();
    await until(() => !pids.some(isAlive));
  });

  test("one that ignores the end of stdin and SIGTERM is killed", async () => {
    const fleet = openFleet([fixtureSpec("up", "raw-server", ["stubborn"])]);
    await fleet.offered("up");
    await fleet.stop();
    expect(fleet.log.filter((line) => line["stderr"] === "ignored SIGTERM")).toHaveLength(1);
  });

  test("a server that is killed leaves no child behind", async () => {
    const host = spawn(process.execPath, [fileURLToPath(new URL("./fixtures/host.ts", import.meta.url))], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [printed] = (await once(host.stdout, "data")) as [Buffer];
    const pid = Number(printed.toString("utf8"));
    expect(isAlive(pid)).toBe(true);
    host.kill("SIGKILL");
    await until(() => !isAlive(pid));
  });

  test("stopping while it is being connected does not wait for it", async () => {
    const fleet = openFleet([fixtureSpec("up", "raw-server", ["silent"])]);
    await fleet.stop();
    expect(fleet.health()).toEqual([]);
  });
});

test("[RUN-15] a call that is asked again while it waits for its place takes one place, and none while it is asked", async () => {
  await using fleet = openFleet([fixtureSpec("up", "raw-server", ["asks-twice"], { concurrency: 1 })]);
  await fleet.offered("up");
  const leaving = new AbortController();
  let other: Promise<unknown> = Promise.resolve();
  let questions = 0;
  const relay: Relay = {
    stateless: false,
    capabilities: { elicitation: {} },
    lane: "client-1",
    principal: "support-agent",
    meta: {},
    progress: false,
    onNotification: () => undefined,
    async ask() {
      questions += 1;
      if (questions === 1) {
        // Another takes the place meanwhile, and is not answered.
        other = fleet.call(callOf("up", "call", {}, leaving.signal)).catch(() => "left");
      } else {
        leaving.abort();
        await other;
        await new Promise((resolve) => setImmediate(resolve));
        // Nobody is kept from the upstream by a person who is asked.
        const third = fleet.call({ ...callOf("up", "call", {}), timeoutMs: 50 });
        await expect(third).rejects.toMatchObject({ code: "upstream-timeout" });
      }
      return { action: "accept", content: {} };
    },
  };
  expect(firstText(await fleet.call({ ...callOf("up", "call", { ask: true }), timeoutMs: 3_000, relay }))).toBe("answered");
  expect(questions).toBe(2);
  // The place is free again: it is sent.
  await expect(fleet.call({ ...callOf("up", "call", {}), timeoutMs: 50 })).rejects.toMatchObject({ code: "upstream-timeout" });
});

describe("[CTL-39] what is offered", () => {
  test("a change of the upstream's tools is told", async () => {
    await using fleet = openFleet([fixtureSpec("up", "fixture-server")]);
    const first = await fleet.nextOffer("up");
    expect(first.some((tool) => tool.name === "grown")).toBe(false);
    const changed = fleet.nextOffer("up");
    await fleet.call(callOf("up", "grow"));
    expect((await changed).some((tool) => tool.name === "grown")).toBe(true);
  });

  test("a candidate is started, asked and stopped", async () => {
    await using fleet = openFleet([]);
    expect((await fleet.probe(fixtureSpec("up", "legacy-server"))).map((tool) => tool.name)).toEqual(["echo"]);
    expect(fleet.health()).toEqual([]);
  });

  test("a new registry: what is new is connected, what is gone is closed, a changed limit needs no restart", async () => {
    const spec = fixtureSpec("one", "raw-server", ["twice"]);
    await using fleet = openFleet([spec]);
    await fleet.offered("one");
    fleet.reconcile([{ ...spec, concurrency: 2, timeoutMs: 5 }, fixtureSpec("two", "raw-server", ["twice"])]);
    expect(firstText(await fleet.call(callOf("two", "call")))).toBe("answered");
    expect(fleet.health().find((health) => health.upstream === "one")).toMatchObject({ state: "ready", restarts: 0 });
    fleet.reconcile([fixtureSpec("two", "raw-server", ["noisy"])]);
    expect(firstText(await fleet.call(callOf("two", "call")))).toBe("answered");
    await expect(fleet.call(callOf("one", "call"))).rejects.toMatchObject({ code: "upstream-unavailable" });
  });
});
