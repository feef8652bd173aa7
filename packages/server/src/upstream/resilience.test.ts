import { describe, expect, test } from "vitest";
import { newId } from "../id/new-id.ts";
import type { UpstreamCall } from "./upstreams.ts";
import { callOf, firstText, fixtureSpec, openFleet, until } from "./upstreams.testing.ts";

const breaker = { faultsInARow: 3, openMs: 60_000, maxOpenMs: 60_000 };

const byIn = (environment: string): NonNullable<UpstreamCall["by"]> => ({
  agent: "support-agent",
  run: null,
  environment,
  person: "ada",
  actionId: newId("action"),
});

describe("one upstream that fails", () => {
  test("[RUN-19][OBS-09] one is killed, one hangs, one is flooded: another serves, and each failure names who failed", async () => {
    await using fleet = openFleet(
      ["killed", "hung", "flooded", "well"].map((name) =>
        fixtureSpec(name, "fixture-server", [], { concurrency: name === "flooded" ? 1 : 32, breaker }),
      ),
      { backoff: { firstMs: 60_000, maxMs: 60_000, stableAfterMs: 0 } },
    );
    await Promise.all(["killed", "hung", "flooded", "well"].map((name) => fleet.offered(name)));
    const pid = Number(firstText(await fleet.call(callOf("killed", "pid"))));
    const flight = fleet.call(callOf("killed", "slow", { ms: 5_000 })).catch((error: unknown) => error);
    const hung = Array.from({ length: 5 }, () =>
      fleet.call({ ...callOf("hung", "slow", { ms: 60_000 }), timeoutMs: 300 }).catch((error: unknown) => error),
    );
    const flood = Array.from({ length: 40 }, () => fleet.call(callOf("flooded", "slow", { ms: 50 })).catch((error: unknown) => error));
    await until(() => fleet.health().some(({ upstream, stderr }) => upstream === "killed" && stderr.includes("slow began")));
    process.kill(pid, "SIGKILL");

    // While all that goes on, the one that is well answers everything, and its list is whole.
    const served = await Promise.all(Array.from({ length: 50 }, (_, index) => fleet.call(callOf("well", "echo", { text: String(index) }))));
    expect(served.map(firstText)).toEqual(Array.from({ length: 50 }, (_, index) => String(index)));
    expect((await fleet.offered("well")).length).toBeGreaterThan(5);

    expect(await flight).toMatchObject({ code: "outcome-unknown", message: expect.stringContaining('"killed"') as string });
    await until(() => fleet.health().some(({ upstream, state }) => upstream === "killed" && state === "down"));
    await expect(fleet.call(callOf("killed", "pid"))).rejects.toMatchObject({
      code: "upstream-unavailable",
      message: expect.stringMatching(/"killed" is down.*connected again at/) as string,
    });
    for (const each of await Promise.all(hung))
      expect(each).toMatchObject({ code: "upstream-timeout", message: expect.stringContaining('"hung"') as string });
    // What does not fit is refused at once, not queued without end.
    const codes = (await Promise.all(flood)).map((each) => (each as { code?: string }).code ?? "served");
    expect(codes.filter((code) => code === "upstream-busy")).toHaveLength(31);
    expect(codes.filter((code) => code === "served")).toHaveLength(9);
    expect(fleet.health().map(({ upstream, state }) => [upstream, state])).toEqual([
      ["killed", "down"],
      ["hung", "ready"],
      ["flooded", "ready"],
      ["well", "ready"],
    ]);
  });

  test("[RUN-19] a tool that hangs is no longer called, says until when, and is tried again; its upstream's others go on", async () => {
    let elapsedMs = 0;
    await using fleet = openFleet([fixtureSpec("up", "fixture-server", [], { breaker })], { monotonicMs: () => elapsedMs });
    const changes: string[] = [];
    fleet.onCircuit(({ tool, environment, state }) => void changes.push(`${environment}/${tool} ${state}`));
    await fleet.offered("up");
    const slow = (ms: number, environment = "staging") =>
      fleet.call({ ...callOf("up", "slow", { ms }), timeoutMs: ms > 1 ? 100 : 20_000, by: byIn(environment) });
    for (let round = 0; round < 3; round += 1) await expect(slow(60_000)).rejects.toMatchObject({ code: "upstream-timeout" });

    await expect(slow(1)).rejects.toMatchObject({
      code: "circuit-open",
      message: expect.stringMatching(/nothing was sent; it is tried again at \d{4}-/) as string,
    });
    expect(fleet.health()[0]?.circuits).toEqual([
      { environment: "staging", tool: "slow", state: "open", until: expect.stringMatching(/Z$/) as string },
    ]);
    expect(firstText(await fleet.call({ ...callOf("up", "echo", { text: "x" }), by: byIn("staging") }))).toBe("x");
    // Another environment learns by itself.
    expect(firstText(await slow(1, "production"))).toBe("done");

    elapsedMs += 60_000;
    expect(firstText(await slow(1))).toBe("done");
    expect(firstText(await slow(1))).toBe("done");
    expect(changes).toEqual(["staging/slow open", "staging/slow closed"]);
  });

  test("[RUN-19] a tool that says no, a caller who goes away and a call that is refused open no circuit", async () => {
    await using fleet = openFleet([fixtureSpec("up", "fixture-server", [], { breaker })]);
    await fleet.offered("up");
    for (let round = 0; round < 8; round += 1) {
      await fleet.call(callOf("up", "fail"));
      const gone = new AbortController();
      const call = fleet.call(callOf("up", "slow", { ms: 60_000 }, gone.signal)).catch((error: unknown) => error);
      gone.abort();
      expect(await call).toMatchObject({ code: "cancelled" });
    }
    expect(fleet.health()[0]?.circuits).toEqual([]);
  });

  test("[OBS-09] what is connected is asked whether it answers; one that hangs says so, and holds up no other", async () => {
    await using fleet = openFleet([fixtureSpec("well", "fixture-server"), fixtureSpec("hung", "fixture-server", [], { timeoutMs: 300 })], {
      probeEveryMs: 100,
    });
    const pid = Number(firstText(await fleet.call(callOf("hung", "pid"))));
    const probes = () => Object.fromEntries(fleet.health().map(({ upstream, probe }) => [upstream, probe ?? null]));
    await until(() => Object.values(probes()).every((probe) => probe?.error === null));
    // It is told what is offered, so that what changes without a word is noticed all the same.
    expect((await fleet.nextOffer("well")).map(({ name }) => name)).toContain("echo");
    process.kill(pid, "SIGSTOP");
    await until(() => typeof probes()["hung"]?.error === "string");
    expect(probes()).toMatchObject({
      hung: { error: expect.stringContaining("did not answer within 300 ms") as string },
      well: { error: null },
    });
    expect(fleet.health().map(({ state }) => state)).toEqual(["ready", "ready"]);
    process.kill(pid, "SIGCONT");
    await until(() => probes()["hung"]?.error === null);
  });
});
