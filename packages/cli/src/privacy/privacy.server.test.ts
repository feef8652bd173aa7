import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { clerk, serveAgent } from "../agent/served-agent.testing.ts";

test(
  "[DAT-12][DAT-14] from the first request to the last, data subjects are looked after from the command line",
  { timeout: 120_000 },
  async () => {
    const served = await serveAgent("clerk", {
      ...clerk,
      "queues/tickets.yaml": "kind: queue\nname: tickets\nowner: ada\nsubjects:\n  - {type: customer, pointer: /customer/id}\n",
    });
    try {
      const remit = (...args: string[]) => served.remit([...args, "--context", "ada"]);
      const privacy = (...args: string[]) => remit("privacy", ...args);
      expect((await privacy("subjects")).out).toContain("Nothing is held about anybody");
      expect((await privacy("hold", "list")).out).toContain("Nothing is held.");
      expect((await privacy("retention", "--plan")).out).toContain("Nothing is due.");
      expect((await privacy("requests")).out).toContain("Nothing has been asked or done.");

      const payload = JSON.stringify({ customer: { id: "C-1042" }, words: "where is my refund?" });
      expect((await remit("queue", "add", "tickets", "--subject", "A refund", "--payload", payload)).exit).toBe(0);
      expect((await privacy("subjects")).out).toContain("customer:C-1042");

      const shown = await privacy("export", "customer:C-1042", "--reason", "DSR-17", "--json");
      expect(JSON.parse(shown.out)).toMatchObject({
        subject: "customer:C-1042",
        entries: [
          {
            event: { type: "remit.item-enqueued" },
            payloads: { item: { state: "open", value: { payload: { words: "where is my refund?" } } } },
          },
        ],
      });
      const file = join(served.folder, "C-1042.json");
      const written = await privacy("export", "customer:C-1042", "--reason", "DSR-17", "--out", file);
      expect(written).toMatchObject({ exit: 0 });
      expect(written.err).toContain("1 payloads opened");
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      expect(await readFile(file, "utf8")).toContain("where is my refund?");
      expect((await privacy("export", "customer:C-1042", "--reason", "DSR-17", "--out", file)).exit).toBe(2);

      expect((await privacy("hold", "add", "Smith v. Acme", "--subject", "customer:C-1042", "--reason", "litigation")).out).toContain(
        "is held by",
      );
      const refused = await privacy("erase", "customer:C-1042", "--reason", "DSR-18");
      expect(refused).toMatchObject({ exit: 4 });
      expect(refused.out).toContain("not while it is held by: Smith v. Acme");
      expect((await privacy("erase", "customer:C-1042", "--reason", "DSR-18", "--confirm")).err).toContain("Smith v. Acme");
      const half = await privacy("hold", "release", "Smith v. Acme", "--reason", "settled");
      expect(half).toMatchObject({ exit: 5 });
      expect((await privacy("hold", "release", "Smith v. Acme", "--reason", "settled")).exit).toBe(4);
      expect((await privacy("hold", "list")).out).toContain("Smith v. Acme");
      expect((await privacy("requests")).out).toMatch(/hold-release-requested[^]*erasure-refused[^]*hold-placed[^]*subject-exported/);

      const other = JSON.stringify({ customer: { id: "C-7" } });
      expect((await remit("queue", "add", "tickets", "--subject", "Kim asks", "--payload", other)).exit).toBe(0);
      const planned = await privacy("erase", "customer:C-7", "--reason", "DSR-19");
      expect(planned.out).toContain("customer:C-7: 1 sealed payloads of 1 entries would be erased.");
      expect(planned.err).toContain("add --confirm");
      const erased = await privacy("erase", "customer:C-7", "--reason", "DSR-19", "--confirm");
      expect(erased.out).toMatch(/1 sealed payloads of 1 entries were erased\.\n {2}1 pieces of work were emptied\n {2}recorded as ent_/);
      const queue = (await remit("queue", "show", "tickets")).out;
      expect(queue).toMatch(/set-aside.*\[erased\]/);
      expect(queue).not.toContain("Kim");
      expect((await remit("audit", "verify")).exit).toBe(0);

      expect((await privacy("erase", "customer:nobody", "--reason", "x")).err).toContain("Nothing is held about customer:nobody");
      expect((await privacy("erase", "nobody", "--reason", "x")).exit).toBe(2);
    } finally {
      await served.stop();
    }
  },
);
