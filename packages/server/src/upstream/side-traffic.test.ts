import type { JsonObject } from "@remit/contract";
import { describe, expect, test } from "vitest";
import type { RequestOptions } from "./connection.ts";
import { createSideTraffic } from "./side-traffic.ts";
import { until } from "./upstreams.testing.ts";

function open(exclusive: boolean) {
  const answers: JsonObject[] = [];
  return { answers, side: createSideTraffic({ exclusive, answer: (message) => void answers.push(message) }) };
}

function requestOf(more: Partial<RequestOptions> = {}) {
  const told: string[] = [];
  const options: RequestOptions = { signal: new AbortController().signal, onNotification: (method) => void told.push(method), ...more };
  return { told, options };
}

const ask = (id: string | number): JsonObject => ({ jsonrpc: "2.0", id, method: "elicitation/create", params: {} });

describe("[CTL-39][CTL-21] what an upstream says beside its answers", () => {
  test("belongs to the request that it names, and on a connection of many to none that it does not name", () => {
    const { side } = open(false);
    const [one, two] = [requestOf(), requestOf()];
    side.track(1, one.options);
    side.track(2, two.options);
    side.receive({ method: "notifications/progress", params: { progressToken: 2, progress: 1 } });
    side.receive({ method: "notifications/progress", params: { progressToken: 99, progress: 1 } });
    side.receive({ method: "notifications/progress", params: { progressToken: "__proto__" } });
    side.receive({ method: "notifications/message", params: { level: "info", data: "whose?" } });
    side.receive({ method: "notifications/message", params: { level: "info", data: "its" } }, one.options);
    expect([one.told, two.told]).toEqual([["notifications/message"], ["notifications/progress"]]);
  });

  test("is heard no more of a request that has ended", () => {
    const { side } = open(true);
    const one = requestOf();
    side.track(1, one.options);
    side.untrack(1);
    side.receive({ method: "notifications/progress", params: { progressToken: 1, progress: 1 } });
    side.receive({ method: "notifications/message", params: {} });
    expect(one.told).toEqual([]);
  });

  test("is refused as a question where nobody is known to be asked", async () => {
    const { side, answers } = open(false);
    side.track(1, requestOf({ onServerRequest: async () => ({ leaked: true }) }).options);
    side.receive(ask("a"));
    await until(() => answers.length === 1);
    expect(answers[0]).toMatchObject({ id: "a", error: { code: -32601 } });
  });

  test("is answered once for each id, taken back when the upstream takes it back, and bounded in number", async () => {
    const { side, answers } = open(true);
    const signals: AbortSignal[] = [];
    const onServerRequest: NonNullable<RequestOptions["onServerRequest"]> = (_request, signal) =>
      new Promise((_, reject) => {
        signals.push(signal);
        signal.addEventListener("abort", () => reject(new Error("taken back")), { once: true });
      });
    side.track(1, requestOf({ onServerRequest }).options);
    side.receive(ask("same"));
    side.receive(ask("same"));
    await until(() => answers.length === 1);
    expect(answers[0]).toMatchObject({ id: "same", error: { code: -32600 } });
    for (let index = 0; index < 70; index += 1) side.receive(ask(index));
    await until(() => answers.length === 8);
    expect(signals).toHaveLength(64);
    side.receive({ method: "notifications/cancelled", params: { requestId: "same" } });
    side.receive({ method: "notifications/cancelled", params: { requestId: {} } });
    await until(() => answers.length === 9);
    expect(signals.filter(({ aborted }) => aborted)).toHaveLength(1);
    // What went wrong here is nothing that an upstream should read.
    expect(answers[8]).toMatchObject({ id: "same", error: { message: "The question could not be answered" } });
  });

  test("is no call of ours, whatever its shape", () => {
    const { side, answers } = open(true);
    for (const message of [{}, { method: 7 }, { id: 1, result: {} }, { method: "notifications/x", params: [] }, { method: "" }])
      side.receive(message);
    expect(answers).toEqual([]);
  });
});
