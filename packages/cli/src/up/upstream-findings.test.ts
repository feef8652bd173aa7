import { expect, test } from "vitest";
import { upstreamFindings, upstreamHealthSchema } from "./upstream-findings.ts";

const health = upstreamHealthSchema.parse({
  upstream: "crm",
  state: "ready",
  restarts: 2,
  error: null,
  stderr: [],
  containment: {
    by: "bubblewrap",
    files: "declared",
    network: "none",
    endsBy: "kernel",
    limits: { memoryMb: 512, processes: null, fileMb: 64, openFiles: 100, cpuSeconds: null },
    because: null,
  },
  circuits: [
    { environment: "staging", tool: "search", state: "open", until: "2026-11-21T09:00:05.000Z" },
    { environment: "production", tool: "search", state: "half-open", until: null },
  ],
});

test("[RUN-19][OBS-09] doctor says of an upstream how it is, how it is contained, and which of its tools are not called", () => {
  const [upstream, open, trying] = upstreamFindings(health);
  expect(upstream).toMatchObject({ check: "upstream crm", ok: true, fix: null });
  expect(upstream?.message).toContain("contained by bubblewrap: it reaches no network");
  expect(upstream?.message).toContain("at most 512 MiB each for as many processes as it likes, for this machine cannot hold that");
  expect(open).toMatchObject({ check: "circuit crm__search in staging", ok: false });
  expect(open?.message).toContain("not called before 2026-11-21T09:00:05.000Z");
  expect(trying?.message).toContain("being tried again");
});

test("[OBS-09] one that is down says why and where to look", () => {
  const [finding, ...more] = upstreamFindings({
    ...health,
    state: "down",
    error: "it exited with code 4",
    containment: null,
    circuits: [],
  });
  expect(finding).toMatchObject({ ok: false, message: "down: it exited with code 4, restarted 2 times" });
  expect(finding?.fix).toContain("registry");
  expect(more).toEqual([]);
});
