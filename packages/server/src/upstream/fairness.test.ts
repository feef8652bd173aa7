import { RemitError } from "@remit/contract";
import { describe, expect, test } from "vitest";
import { createBulkhead } from "./bulkhead.ts";
import { createClientLanes } from "./client-lanes.ts";
import type { Connection } from "./connection.ts";
import type { Relay } from "./relay.ts";

const patient = new AbortController().signal;
const codeOf = (error: unknown): string => (RemitError.is(error) ? error.code : String(error));
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("[RUN-15][CTL-21] an upstream's places", () => {
  test("are given by turns: an agent with many calls waiting lets another's through after each of its own", async () => {
    const bulkhead = createBulkhead("crm", 1);
    let free = await bulkhead.enter(patient, "greedy");
    const order: string[] = [];
    const wait = async (agent: string): Promise<void> => {
      free = await bulkhead.enter(patient, agent);
      order.push(agent);
    };
    for (const agent of ["greedy", "greedy", "greedy", "greedy", "modest", "third", "modest"]) void wait(agent);
    for (let place = 0; place < 7; place += 1) {
      free();
      await turn();
    }
    expect(order).toEqual(["greedy", "modest", "third", "greedy", "modest", "greedy", "greedy"]);
    expect(bulkhead.running()).toBe(1);
  });

  test("and a full queue is shared: whoever has most waiting gives way, and nobody else", async () => {
    const bulkhead = createBulkhead("crm", 1);
    const free = await bulkhead.enter(patient, "greedy");
    const ended: string[] = [];
    const wait = async (agent: string): Promise<void> => {
      try {
        const release = await bulkhead.enter(patient, agent);
        ended.push(`${agent} came`);
        release();
      } catch (error) {
        ended.push(`${agent} ${codeOf(error)}`);
      }
    };
    const greedy = Array.from({ length: 9 }, () => wait("greedy"));
    await turn();
    expect(ended).toEqual(["greedy upstream-busy"]);
    const modest = Array.from({ length: 6 }, () => wait("modest"));
    await turn();
    // Eight wait: four of each. From then on, each is told that it is busy.
    expect(ended.filter((what) => what === "greedy upstream-busy")).toHaveLength(5);
    expect(ended.filter((what) => what === "modest upstream-busy")).toHaveLength(2);
    free();
    await Promise.all([...greedy, ...modest]);
    expect(ended.filter((what) => what.endsWith("came"))).toHaveLength(8);
    expect(bulkhead.running()).toBe(0);
  });

  test("one that goes away leaves its place in the queue to the next", async () => {
    const bulkhead = createBulkhead("crm", 1);
    const free = await bulkhead.enter(patient, "a");
    const gone = new AbortController();
    const first = bulkhead.enter(gone.signal, "b").catch(() => "gone");
    const second = bulkhead.enter(patient, "b");
    gone.abort(new Error("it went away"));
    expect(await first).toBe("gone");
    free();
    (await second)();
    expect(bulkhead.running()).toBe(0);
  });
});

describe("[RUN-15][CTL-39] connections of one client each", () => {
  const connection = { onClosed: () => undefined, close: async () => undefined, capabilities: {} } as unknown as Connection;
  const relayOf = (principal: string, lane: string): Relay => ({
    stateless: false,
    capabilities: { elicitation: {} },
    lane,
    principal,
    meta: {},
    progress: false,
    onNotification: () => undefined,
    ask: async () => ({}),
  });

  test("one agent's sessions, however many, leave the others theirs; what it does not use is closed for what it does", async () => {
    let opened = 0;
    const lanes = createClientLanes("crm", async () => {
      opened += 1;
      return connection;
    });
    const ends: (() => void)[] = [];
    const hold = (principal: string, lane: string) =>
      lanes
        .during(patient, relayOf(principal, lane), () => new Promise<string>((resolve) => ends.push(() => resolve("done"))))
        .catch(codeOf);
    const greedy = Array.from({ length: 20 }, (_, index) => hold("greedy", `session-${index}`));
    expect(await Promise.all(greedy.slice(16))).toEqual(Array.from({ length: 4 }, () => "upstream-busy"));
    const others = ["b", "c", "d"].map((agent) => hold(agent, agent));
    await turn();
    expect(opened).toBe(19);
    for (const end of ends) end();
    expect(await Promise.all([...greedy.slice(0, 16), ...others])).toEqual(Array.from({ length: 19 }, () => "done"));
    // Now that it uses none of them, a new one takes the place of the oldest.
    const late = hold("greedy", "session-late");
    await turn();
    ends.at(-1)?.();
    expect(await late).toBe("done");
    await lanes.close();
  });
});
