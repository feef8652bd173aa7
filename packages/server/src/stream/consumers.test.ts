import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sequenceOf, streamedEventSchema } from "@remit/contract";
import type { Id, StreamedEvent } from "@remit/contract";
import { expect, test, vi } from "vitest";
import { fill, testId } from "../ledger/ledger.testing.ts";
import { openTestStream } from "./stream.testing.ts";

const patient = { timeout: 60_000, interval: 50 };

test("[RUN-16][RUN-18] three programs that are killed and started again miss nothing, and get twice only what is the same", async () => {
  await using stream = await openTestStream({ times: { heartbeatMs: 200 } });
  const folder = await mkdtemp(join(tmpdir(), "remit-consumers-"));
  const children = new Set<ChildProcess>();
  try {
    const runs = Array.from({ length: 3 }, () => testId("run"));
    const written: string[] = [];
    const write = async (count: number): Promise<void> => {
      const entries = await fill(stream, [count], (seq) => ({ runId: runs[seq % 3] as Id<"run"> }));
      written.push(...entries.map(({ id }) => id));
    };
    await write(30);

    async function seen(name: string): Promise<StreamedEvent[]> {
      const text = await readFile(join(folder, name, "events"), "utf8").catch(() => "");
      // What was cut in the middle of a line was not taken; the place before it was written down.
      return text
        .split("\n")
        .slice(0, -1)
        .flatMap((line) => {
          const start = line.lastIndexOf('{"specversion"');
          return start === -1 ? [] : [streamedEventSchema.parse(JSON.parse(line.slice(start)))];
        });
    }

    /** Three lives; killed after it has taken some more each time. */
    async function consumer(name: string, more: readonly number[]): Promise<void> {
      await mkdir(join(folder, name));
      for (const count of [...more, 0]) {
        const child = spawn(
          process.execPath,
          [new URL("stream-consumer.fixture.ts", import.meta.url).pathname, stream.url, join(folder, name)],
          {
            stdio: ["ignore", "ignore", "inherit"],
          },
        );
        children.add(child);
        if (count === 0) return;
        const before = (await seen(name)).length;
        await vi.waitFor(async () => expect((await seen(name)).length).toBeGreaterThan(before + count), patient);
        const gone = once(child, "exit");
        child.kill("SIGKILL");
        await gone;
        await write(25);
      }
    }
    await Promise.all([consumer("one", [5, 11]), consumer("two", [10, 3]), consumer("three", [1, 20])]);
    await write(10);
    expect(written).toHaveLength(190);

    for (const name of ["one", "two", "three"]) {
      await vi.waitFor(async () => expect(new Set((await seen(name)).map(({ id }) => id)).size).toBe(written.length), patient);
      const events = await seen(name);
      expect(new Set(events.map(({ id }) => id))).toEqual(new Set(written));
      expect(new Set(events.map((event) => JSON.stringify(event))).size).toBe(written.length);
      const first = events.filter(({ id }, index) => events.findIndex((event) => event.id === id) === index);
      expect(first.map(sequenceOf)).toEqual(Array.from({ length: written.length }, (_, index) => index));
    }
  } finally {
    for (const child of children) child.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
}, 180_000);
