import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkpointText, formatAddCheckpoint, formatNote, noteVerifier, parseCheckpoint, readNote } from "@remit/core";
import { describe, expect, test } from "vitest";
import { noteCrypto } from "../keys/note-crypto.ts";
import { generatePrivateKey, localSigner, signLine } from "../keys/note-signer.ts";
import { addLog, initWitness, openWitness, removeLog } from "./witness-folder.ts";
import type { WitnessSettings } from "./witness-folder.ts";
import { serveWitness } from "./witness-server.ts";
import { createTestLog, openTestWitness } from "./witness.testing.ts";
import { hashOf } from "./witness.ts";

const origin = "ledger.example/main";

async function serve(settings: WitnessSettings) {
  const problems: string[] = [];
  const server = await serveWitness(settings, { host: "127.0.0.1", port: 0, onProblem: (what) => problems.push(what) });
  return { ...server, problems, [Symbol.asyncDispose]: () => server.stop() };
}

async function post(url: string, body: string) {
  const response = await fetch(`${url}/add-checkpoint`, { method: "POST", body });
  return { status: response.status, type: response.headers.get("content-type"), body: await response.text() };
}

/** How many keys of the witness signed this checkpoint, if their lines are put under it. */
function cosignatures(settings: WitnessSettings, text: string, lines: string): number {
  const reading = readNote(
    `${text}\n${lines}`,
    settings.signers.map(({ key }) => noteVerifier(noteCrypto, key)),
  );
  return reading.type === "signed" ? reading.signed.length : 0;
}

test.each([false, true])(
  "[AUD-14] a witness cosigns what continues what it saw, and shows it to whoever asks; with ML-DSA: %s",
  async (postQuantum) => {
    const log = createTestLog(origin).grow(5);
    await using witness = await openTestWitness({ logs: [log], postQuantum });
    await using server = await serve(witness.settings);
    const monitor = `${server.url}/${hashOf(origin)}/checkpoint`;
    expect((await fetch(monitor)).status).toBe(404);

    for (const [from, to] of [
      [0, 5],
      [5, 5],
      [5, 12],
      [12, 300],
    ] as const) {
      if (to > 5) log.grow(to - from);
      const answer = await post(server.url, await log.request(from, to));
      expect(answer).toMatchObject({ status: 200, type: "text/plain; charset=utf-8" });
      expect(cosignatures(witness.settings, log.text(to), answer.body)).toBe(postQuantum ? 2 : 1);
      const seen = await (await fetch(monitor)).text();
      expect(cosignatures(witness.settings, log.text(to), seen.slice(seen.indexOf("\n\n") + 2))).toBe(postQuantum ? 2 : 1);
      expect(readNote(seen, [noteVerifier(noteCrypto, log.signer.key)])).toMatchObject({ type: "signed" });
    }
    const about = await (await fetch(server.url)).text();
    expect(about).toContain(`watches ${origin}`);
  },
);

describe("what a witness does not cosign", () => {
  const log = createTestLog(origin).grow(20);
  const other = createTestLog(origin).grow(20);
  const stranger = createTestLog("ledger.example/other").grow(20);
  const empty = checkpointText({ origin, size: 0, root: Buffer.alloc(32, 7) });

  const cases: [string, () => Promise<string>, number, RegExp?][] = [
    ["nothing", async () => "", 400],
    ["no old size", async () => (await log.request(10)).replace(/^old 10\n/, ""), 400],
    ["a leading zero", async () => (await log.request(10)).replace("old 10", "old 010"), 400],
    ["carriage returns", async () => (await log.request(10)).replaceAll("\n", "\r\n"), 400],
    ["no empty line", async () => (await log.request(10)).replace("\n\n", "\n"), 400],
    [
      "64 lines of proof",
      async () =>
        formatAddCheckpoint({ oldSize: 10, proof: Array.from({ length: 64 }, () => Buffer.alloc(32)), checkpoint: await log.note() }),
      400,
    ],
    ["an old size beyond the new", async () => formatAddCheckpoint({ oldSize: 21, proof: [], checkpoint: await log.note() }), 400],
    ["a ledger that it does not watch", () => stranger.request(0), 404],
    ["another key's signature", () => other.request(10), 403],
    ["no signature", async () => (await log.request(10)).replace(/— ledger.*\n$/, ""), 400],
    ["a changed size", async () => (await log.request(10)).replace("\n20\n", "\n19\n"), 403],
    ["an old size that is not the last", () => log.request(5), 409, /^10\n$/],
    ["an old size of zero", () => log.request(0), 409, /^10\n$/],
    ["a smaller checkpoint", () => log.request(5, 9), 409, /^10\n$/],
    ["a wrong proof", async () => formatAddCheckpoint({ oldSize: 10, proof: log.proof(9), checkpoint: await log.note() }), 422],
    ["no proof", async () => formatAddCheckpoint({ oldSize: 10, proof: [], checkpoint: await log.note() }), 422],
    [
      "a proof too long",
      async () => formatAddCheckpoint({ oldSize: 10, proof: [...log.proof(10), Buffer.alloc(32)], checkpoint: await log.note() }),
      422,
    ],
    [
      "a proof where nothing is new",
      async () => formatAddCheckpoint({ oldSize: 10, proof: [Buffer.alloc(32)], checkpoint: await log.note(10) }),
      422,
    ],
    [
      "a root of its own for no entries",
      async () => formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: formatNote(empty, [await signLine(log.signer, empty, 1)]) }),
      409,
    ],
  ];

  test.each(cases)("[AUD-14] %s", async (_, request, status, body) => {
    await using witness = await openTestWitness({ logs: [log] });
    await using server = await serve(witness.settings);
    expect((await post(server.url, await log.request(0, 10))).status).toBe(200);
    const answer = await post(server.url, await request());
    expect(answer.status).toBe(status);
    if (body !== undefined) expect(answer).toMatchObject({ type: "text/x.tlog.size", body: expect.stringMatching(body) as string });
    // And it goes on from where it was.
    expect((await post(server.url, await log.request(10, 20))).status).toBe(200);
  });

  test("the first checkpoint of a ledger without entries has the root of no entries", async () => {
    await using witness = await openTestWitness({ logs: [log] });
    await using server = await serve(witness.settings);
    const wrong = formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: formatNote(empty, [await signLine(log.signer, empty, 1)]) });
    expect((await post(server.url, wrong)).status).toBe(422);
    expect((await post(server.url, await log.request(0, 0))).status).toBe(200);
    const early = formatAddCheckpoint({ oldSize: 0, proof: [Buffer.alloc(32)], checkpoint: await log.note(3) });
    expect((await post(server.url, early)).status).toBe(422);
  });

  test("a line that names the ledger's key and is not its signature makes the note worthless", async () => {
    await using witness = await openTestWitness({ logs: [log] });
    await using server = await serve(witness.settings);
    const forged = { ...(await signLine(log.signer, log.text(9), 1)) };
    const note = formatNote(log.text(10), [await signLine(log.signer, log.text(10), 1), forged]);
    expect((await post(server.url, formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: note }))).status).toBe(403);
  });

  test("too much, the wrong method, another address", async () => {
    await using witness = await openTestWitness({ logs: [log] });
    await using server = await serve(witness.settings);
    expect((await post(server.url, "x".repeat(1_000_000))).status).toBe(413);
    expect((await post(server.url, "old 0\n\n\ud800")).status).toBe(400);
    expect((await fetch(`${server.url}/add-checkpoint`)).status).toBe(405);
    expect((await fetch(server.url, { method: "DELETE" })).status).toBe(405);
    for (const path of ["/x", `/${"0".repeat(64)}/checkpoint`, `/${hashOf(origin).toUpperCase()}/checkpoint`, "/../state"]) {
      expect((await fetch(`${server.url}${path}`)).status).toBe(404);
    }
  });
});

test("[AUD-14] a split view is refused, and both signed notes are kept", async () => {
  const log = createTestLog(origin).grow(10);
  const fork = log.fork().grow(5, "forked");
  log.grow(5);
  await using witness = await openTestWitness({ logs: [log] });
  await using server = await serve(witness.settings);
  expect((await post(server.url, await log.request(0, 15))).status).toBe(200);
  // The same size with another root, whatever old size is claimed, and a longer one that does not continue what was seen.
  expect((await post(server.url, formatAddCheckpoint({ oldSize: 15, proof: [], checkpoint: await fork.note() }))).status).toBe(422);
  expect((await post(server.url, await fork.request(10))).status).toBe(409);
  fork.grow(10, "forked");
  expect((await post(server.url, await fork.request(15))).status).toBe(422);

  const kept = await readdir(join(witness.settings.folder, "evidence"));
  expect(new Set(kept.map((name) => name.split("-")[0]))).toEqual(new Set(["disputed", "split"]));
  const split = kept.find((name) => name.startsWith("split")) ?? "";
  const evidence = JSON.parse(await readFile(join(witness.settings.folder, "evidence", split), "utf8")) as {
    seen: string;
    submitted: string;
  };
  const texts = [evidence.seen, evidence.submitted].map((note) => {
    const reading = readNote(note, [noteVerifier(noteCrypto, log.signer.key)]);
    return parseCheckpoint(reading.type === "signed" ? reading.text : "");
  });
  expect(texts.map((checkpoint) => checkpoint?.size)).toEqual([15, 15]);
  expect(texts[0]?.root).not.toEqual(texts[1]?.root);
  expect(server.problems.join()).toContain("both notes are kept");
  log.grow(1);
  expect((await post(server.url, await log.request(15, 16))).status).toBe(200);
});

test("[AUD-14] of many that come at once, each is cosigned on the one before it", async () => {
  const log = createTestLog(origin).grow(40);
  await using witness = await openTestWitness({ logs: [log] });
  await using server = await serve(witness.settings);
  const requests = await Promise.all(Array.from({ length: 40 }, (_, index) => log.request(0, index + 1)));
  const answers = await Promise.all(requests.map((request) => post(server.url, request)));
  // All claim to be the first: one of them is.
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 409)).toHaveLength(39);
});

test("two processes never serve one folder; a killed one is taken over", async () => {
  const log = createTestLog(origin).grow(3);
  await using witness = await openTestWitness({ logs: [log] });
  {
    await using child = await startChild(witness.settings.folder);
    await expect(serveWitness(witness.settings, { host: "127.0.0.1", port: 0 })).rejects.toMatchObject({ code: "conflict" });
    expect((await post(child.url, await log.request(0))).status).toBe(200);
  }
  await using server = await serve(await witness.reopen());
  expect((await post(server.url, await log.request(3))).status).toBe(200);
  // The number of a process that is no more, given to another one since: this test's own would be such.
  expect(server.problems).toEqual([]);
});

test("[AUD-14] killed at any moment, a witness remembers whatever it has answered", async () => {
  const log = createTestLog(origin).grow(400);
  await using witness = await openTestWitness({ logs: [log] });
  let acknowledged = 0;
  let next = 0;
  for (let round = 0; round < 5; round += 1) {
    await using child = await startChild(witness.settings.folder);
    const seen = await (await fetch(`${child.url}/${hashOf(origin)}/checkpoint`)).text();
    const size = round === 0 ? 0 : (parseCheckpoint(seen.slice(0, seen.lastIndexOf("\n\n") + 1))?.size ?? -1);
    expect(size).toBeGreaterThanOrEqual(acknowledged);
    next = size;
    const kill = 3 + round * 4;
    for (let count = 0; ; count += 1) {
      // At the last one the process is killed while it works on it: it may have been written or not.
      const answering = post(child.url, await log.request(next, next + 1)).catch(() => null);
      if (count === kill) {
        child.kill();
        await answering;
        break;
      }
      expect(await answering).toMatchObject({ status: 200 });
      next += 1;
      acknowledged = next;
    }
  }
  const files = await readdir(join(witness.settings.folder, "state"));
  expect(files.filter((name) => !name.endsWith(".tmp"))).toEqual([hashOf(origin)]);
});

test("a memory that was changed is not believed: nothing is cosigned", async () => {
  const log = createTestLog(origin).grow(9);
  await using witness = await openTestWitness({ logs: [log] });
  await using server = await serve(witness.settings);
  expect((await post(server.url, await log.request(0, 5))).status).toBe(200);
  const file = join(witness.settings.folder, "state", hashOf(origin));
  await writeFile(file, await log.note(2));
  expect((await post(server.url, await log.request(2, 9))).status).toBe(500);
  expect(server.problems.join()).toContain("damaged");
});

test("a ledger whose key is replaced is watched by both keys, and then no more by the old one", async () => {
  const log = createTestLog(origin).grow(4);
  await using witness = await openTestWitness({ logs: [log] });
  const next = localSigner(origin, "ed25519", generatePrivateKey("ed25519"));
  const replaced = createTestLog(origin, "ed25519", next).grow(9);
  await addLog(witness.settings.folder, replaced.vkey);
  await using server = await serve(await witness.reopen());
  expect((await post(server.url, await log.request(0))).status).toBe(200);
  expect((await post(server.url, await replaced.request(4))).status).toBe(200);
  await server.stop();
  await removeLog(witness.settings.folder, log.vkey);
  await expect(removeLog(witness.settings.folder, log.vkey)).rejects.toMatchObject({ code: "not-found" });
  await using later = await serve(await witness.reopen());
  // Whoever has stolen it cannot lead the witness away from the ledger; what was seen with it is remembered.
  expect((await post(later.url, await log.grow(12).request(9))).status).toBe(403);
  expect((await post(later.url, await replaced.grow(12).request(0))).status).toBe(409);
  expect((await post(later.url, await replaced.request(9))).status).toBe(200);
});

test("the folder of a witness is made once, is its owner's alone, and says what is wrong with it", async () => {
  await using witness = await openTestWitness();
  const { folder } = witness.settings;
  const given = { name: "w.example", postQuantum: false, logs: [] };
  await expect(initWitness(folder, given)).rejects.toMatchObject({ code: "conflict" });
  await expect(initWitness(join(folder, "2"), { ...given, name: "a b" })).rejects.toMatchObject({ code: "invalid-configuration" });
  await expect(initWitness(join(folder, "2"), { ...given, logs: ["x"] })).rejects.toMatchObject({ code: "invalid-configuration" });
  await expect(openWitness(join(folder, "3"))).rejects.toMatchObject({ code: "not-found" });
  await chmod(join(folder, "ed25519-cosignature.pem"), 0o644);
  await expect(openWitness(folder)).rejects.toThrow(/chmod 600/);
  await writeFile(join(folder, "witness.json"), "{}");
  await expect(openWitness(folder)).rejects.toMatchObject({ code: "invalid-configuration" });
});

async function startChild(folder: string) {
  const child = spawn(process.execPath, [fileURLToPath(new URL("witness.fixture.ts", import.meta.url)), folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const kill = () => child.kill("SIGKILL");
  return {
    url: line.toString().trim(),
    kill,
    [Symbol.asyncDispose]: async () => {
      kill();
      await exited;
    },
  };
}
