import type { Halt, HaltSubject } from "@remit/core";
import { expect, test } from "vitest";
import { newId } from "../id/new-id.ts";
import { createInFlight } from "./in-flight.ts";

const subject: HaltSubject = { environment: "staging", agent: "triage", tool: "desk__read", upstream: "desk", run: null, effect: "read" };
const halt = (agent: string): Halt => ({ id: "hlt", mode: "halt", scope: { type: "agent", name: agent }, reason: "drill" });
const alive = new AbortController().signal;

test("[SAF-01] what is about to begin is stopped by the halts in force, and what flies beside it by those that cover it", () => {
  const inFlight = createInFlight();
  const beginning = inFlight.enter(newId("action"), subject, alive);
  const other = inFlight.enter(newId("action"), { ...subject, agent: "other" }, alive);
  expect(beginning.apply([])).toBe(false);
  expect(beginning.apply([halt("other")])).toBe(false);
  expect(beginning.apply([halt("other"), halt("triage")])).toBe(true);
  expect(beginning.stop()).toMatchObject({ state: "halted", code: "halted" });
  expect([beginning.signal.aborted, other.signal.aborted]).toEqual([true, false]);
  expect(inFlight.apply([halt("triage"), halt("other")])).toBe(1);
  expect(other.stop()).toMatchObject({ state: "halted" });
});

test("an action is waited for until it has left, and not after", async () => {
  const inFlight = createInFlight();
  const id = newId("action");
  const flight = inFlight.enter(id, subject, alive);
  const ended = inFlight.ended(id);
  let isOver = false;
  const waiting = ended?.then(() => (isOver = true));
  await Promise.resolve();
  expect(isOver).toBe(false);
  flight.leave();
  await waiting;
  expect(isOver).toBe(true);
  expect([inFlight.ended(id), inFlight.size()]).toEqual([null, 0]);
});

test("what begins once the server stops, or once its caller has gone, is stopped from the beginning", () => {
  const inFlight = createInFlight();
  expect(inFlight.enter(newId("action"), subject, AbortSignal.abort()).stop()).toMatchObject({ why: "The caller went away." });
  const flight = inFlight.enter(newId("action"), subject, alive);
  inFlight.close();
  expect(flight.stop()).toMatchObject({ why: "The server was stopped." });
  expect(inFlight.enter(newId("action"), subject, alive).stop()).toMatchObject({ why: "The server was stopped." });
});
