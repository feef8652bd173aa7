import { fileURLToPath } from "node:url";
import { upstreamSpecSchema } from "@remit/contract";
import { expect, test } from "vitest";
import { firstText } from "../upstream/upstreams.testing.ts";
import { connectClient, openRelay } from "./relay.testing.ts";

const file = fileURLToPath(new URL("../upstream/fixtures/asking-stdio.ts", import.meta.url));
const spec = upstreamSpecSchema.parse({
  kind: "upstream",
  name: "stdio",
  owner: "ada",
  transport: { type: "stdio", command: process.execPath, args: [file] },
});

test("[CTL-39] a stdio upstream of the handshake asks each client in a process of that client's own, in both eras, and nobody else's", async () => {
  await using relay = await openRelay([spec]);
  const answering = (name: string) => ({ elicit: () => ({ action: "accept", content: { name } }) });
  const url = `${relay.url}/mcp/stdio`;
  const one = await connectClient(url, "legacy", answering("Ada"));
  const two = await connectClient(url, "legacy", answering("Ben"));
  const modern = await connectClient(url, "modern", answering("Cleo"));
  const deaf = await connectClient(url, "legacy");
  const heard: unknown[] = [];
  one.setNotificationHandler("notifications/message", ({ params }) => void heard.push(params.data));
  const ask = async (client: typeof one) => firstText(await client.callTool({ name: "ask", arguments: {} }));
  const answers = await Promise.all([ask(one), ask(two), ask(modern), ask(one)]);
  expect(answers.map((answer) => answer.replace(/^\S+ /, ""))).toEqual([
    '{"name":"Ada"}',
    '{"name":"Ben"}',
    '{"name":"Cleo"}',
    '{"name":"Ada"}',
  ]);
  const [first, second, third, fourth] = answers.map((answer) => answer.split(" ")[0]);
  expect(new Set([first, second, third]).size).toBe(3);
  expect(fourth).toBe(first);
  expect(heard).toEqual([`asked in ${first}`, `asked in ${first}`]);
  // Who cannot be asked shares a process that may ask nobody.
  expect(await ask(deaf)).toContain("Error");
  await Promise.all([one, two, modern, deaf].map((client) => client.close()));
});
