import { spawn } from "node:child_process";
import { once } from "node:events";
import { access } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("the PostgreSQL of a test run ends with the run, even when that is killed", async () => {
  const script = `
    import { setup } from ${JSON.stringify(fileURLToPath(new URL("test-cluster.ts", import.meta.url)))};
    delete process.env.REMIT_TEST_DATABASE_URL;
    await setup();
    console.log(process.env.REMIT_TEST_CLUSTER);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const asked = line.toString().trim();
  let url = "";
  for await (const chunk of connect(asked)) url += String(chunk);
  expect(url).toMatch(/^postgres:/);
  child.kill("SIGKILL");
  const exists = () =>
    access(dirname(asked)).then(
      () => true,
      () => false,
    );
  while (await exists()) await sleep(20);
});
