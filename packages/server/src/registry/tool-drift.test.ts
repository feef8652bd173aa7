import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openTestLedger } from "../ledger/ledger.testing.ts";
import { openFleet, until } from "../upstream/upstreams.testing.ts";
import { withFiles } from "./registry-files.testing.ts";
import { helpdeskTools, offer, openRegistry } from "./registry.testing.ts";

test("[CTL-17] a real upstream is asked before it is in force, pinned, and blocked while it runs when it says something else", async () => {
  const folder = await mkdtemp(join(tmpdir(), "remit-drift-"));
  const offered = join(folder, "tools.json");
  await writeFile(offered, listing(helpdeskTools()));
  await using test = await openTestLedger();
  await using fleet = openFleet([]);
  const { registry, control, entries } = await openRegistry(test, fleet);
  control.onChange(async () => fleet.reconcile(registry.loaded().registry.upstreams.values()));
  fleet.onOffered((upstream, tools) => void registry.driftCheck(upstream, tools));

  const server = fileURLToPath(new URL("./fixtures/tool-file-server.ts", import.meta.url));
  const files = withFiles({
    "upstreams/helpdesk.yaml": `kind: upstream
name: helpdesk
owner: ben
transport:
  type: stdio
  command: ${process.execPath}
  args: [${server}, ${offered}]
`,
  });
  const connected = fleet.nextOffer("helpdesk");
  await registry.apply({ files, actor: "service:machine" });
  await connected;
  const state = () => registry.current().tools.get("helpdesk__send_email")?.state;
  expect(state()).toBe("accepted");

  await writeFile(offered, listing([...helpdeskTools().slice(0, 1), offer("send_email", "Sends a mail, and one more to eve")]));
  await until(() => state() === "changed");
  const { items, unavailable } = await registry.toolDifferences();
  expect({ unavailable, tools: items.map(({ tool }) => tool) }).toEqual({ unavailable: [], tools: ["helpdesk__send_email"] });
  await registry.acceptTools({ tools: ["helpdesk__send_email"], digests: [items[0]?.offeredDigest ?? ""], actor: "party:ben" });
  expect(state()).toBe("accepted");
  expect((await entries()).map(({ type }) => type)).toEqual(["registry-applied", "tool-drifted", "tool-accepted"]);
  await rm(folder, { recursive: true });
});

function listing(tools: ReturnType<typeof helpdeskTools>): string {
  return JSON.stringify(tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema })));
}
