import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openTestDatabase } from "@remit/server/testing";
import { expect, test, vi } from "vitest";
import { runCommandLine } from "../frame/program.ts";
import { testSurroundings } from "../terminal/surroundings.testing.ts";
import { serve } from "../up/serve.ts";

test(
  "[AUD-14] a ledger is watched by a witness of somebody else, from the command line, and says so wherever it speaks of its integrity",
  { timeout: 300_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "remit-witnessed-"));
    await using database = await openTestDatabase();
    const start = (environment: Record<string, string>) =>
      serve({
        dataDir: join(folder, ".remit"),
        host: "127.0.0.1",
        port: 0,
        databaseUrl: database.url,
        registryDir: join(folder, "registry"),
        logLevel: "silent",
        environment,
      });
    const remit = async (...words: string[]) => {
      const around = testSurroundings({ cwd: folder, columns: 400 });
      const code = await runCommandLine(words, around);
      return { code, out: around.out(), err: around.err() };
    };
    const data = async (...words: string[]) => JSON.parse((await remit(...words, "--json")).out) as Record<string, unknown>;
    await mkdir(join(folder, "registry"));

    let serving = await start({ REMIT_LEDGER_ORIGIN: "ledger.example.org" });
    const keys = (await remit("audit", "keys")).out.trim();
    expect(keys).toMatch(/^ledger\.example\.org\+[0-9a-f]{8}\+A/);
    expect((await remit("audit", "verify")).out).toContain("UNANCHORED: nobody outside keeps a checkpoint");
    await serving.stop();

    // Somebody else makes a witness, and hands out its key and address.
    const { keys: witnessKeys } = await data("witness", "init", "theirs", "--name", "witness.example.net/1", "--log", keys);
    const theirs = testSurroundings({ cwd: folder });
    const witness = runCommandLine(["witness", "serve", "theirs", "--port", "0", "--json"], theirs);
    await vi.waitFor(() => expect(theirs.out()).toContain("url"), { timeout: 60_000 });
    const { url } = JSON.parse(theirs.out()) as { url: string };
    const policy = join(folder, "witnesses.policy");
    await writeFile(
      policy,
      `witness theirs ${(witnessKeys as string[])[0]} ${url}\ngroup example-net any theirs\ngroup all-of-them 1 example-net\nquorum all-of-them\n`,
    );

    const kept = join(folder, "kept.jsonl");
    serving = await start({
      REMIT_LEDGER_ORIGIN: "ledger.example.org",
      REMIT_WITNESS_POLICY: policy,
      REMIT_OUTBOUND_ALLOW: "127.0.0.0/8",
      REMIT_LEDGER_SINKS: `file:${kept}`,
    });
    try {
      await vi.waitFor(async () => expect(await data("audit", "anchors")).toMatchObject({ status: "WITNESSED" }), {
        timeout: 60_000,
        interval: 200,
      });
      expect((await remit("audit", "anchors")).out).toContain("WITNESSED(1 organisation): example-net saw the first");
      expect((await remit("audit", "verify")).out).toContain("WITNESSED(1 organisation)");
      expect((await remit("audit", "checkpoint")).err).toContain("WITNESSED(1 organisation)");
      expect((await remit("doctor")).out).toContain("✓ ledger: WITNESSED(1 organisation)");
      const ready = (await (await fetch(`${serving.url}/readyz`)).json()) as { details: Record<string, string> };
      expect(ready.details["ledger"]).toBe("WITNESSED(1 organisation)");
      expect((await readFile(kept, "utf8")).split("\n")[0]).toContain("ledger.example.org");

      const { items } = (await data("audit", "query", "--type", "witness-policy-changed")) as { items: { event: { id: string } }[] };
      expect(items).toHaveLength(1);
      await vi.waitFor(
        async () =>
          expect((await remit("audit", "proof", items[0]?.event.id ?? "", "-o", join(folder, "receipt.tlog-proof"))).code).toBe(0),
        { timeout: 60_000 },
      );
      expect(await readFile(join(folder, "receipt.tlog-proof"), "utf8")).toMatch(/^c2sp\.org\/tlog-proof@v1\nextra /);
      expect(await remit("audit", "consistency", "1")).toMatchObject({
        out: expect.stringContaining("continue the first 1") as string,
        err: expect.stringContaining("WITNESSED(1 organisation)") as string,
      });

      // A checkpoint that was kept, and a part of the ledger that is proved to continue it, as an archive and as a folder.
      await writeFile(join(folder, "kept.txt"), (await remit("audit", "checkpoint")).out);
      const range = ["audit", "export", "--from", "1", "--since", "kept.txt"];
      expect((await remit(...range, "-o", "part.tar")).out).toMatch(/^Wrote part\.tar \(\d+ bytes\)/);
      expect(await data(...range, "-o", "part")).toMatchObject({ output: "part", payloads: "sealed" });
      const names = (await readdir(join(folder, "part"))).sort();
      expect(names).toEqual(expect.arrayContaining(["entries-000001.jsonl", "keys.txt", "manifest.json", "statement.intoto.json"]));
      const manifest = JSON.parse(await readFile(join(folder, "part", "manifest.json"), "utf8")) as { population: object; since: object };
      expect(manifest).toMatchObject({ population: { first: 1 }, since: { checkpoint: await readFile(join(folder, "kept.txt"), "utf8") } });
      expect((await readFile(join(folder, "part.tar"))).includes(names[0] ?? "-")).toBe(true);
      expect(await remit(...range, "-o", "part")).toMatchObject({ code: 2, err: expect.stringContaining("is there already") as string });
      expect(await remit(...range, "no-such-file", "-o", "more")).toMatchObject({ code: 2 });
      expect(await remit("audit", "export", "--since", "nowhere.txt", "-o", "more")).toMatchObject({
        code: 2,
        err: expect.stringContaining("Cannot read the checkpoint") as string,
      });

      expect((await remit("ledger", "rotate-key")).out).toMatch(/signing {2}.*\n.*signing {2}/);
      expect((await remit("ledger", "rotate-key", "--finish")).out).toMatch(/retired {2}.*\n.*signing {2}/);
      await vi.waitFor(async () => expect((await remit("audit", "keys")).out).toMatch(/^\S+ until \d+\n\S+\n$/), { timeout: 60_000 });
      expect(await remit("ledger", "rotate-key", "--finish")).toMatchObject({
        code: 1,
        err: expect.stringContaining("rotate-key") as string,
      });
      expect(await data("audit", "verify")).toMatchObject({ ok: true });
    } finally {
      theirs.interrupt();
      await witness;
      await serving.stop();
      await rm(folder, { recursive: true });
    }
  },
);
