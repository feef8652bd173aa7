import { appendFileSync, readFileSync, writeFileSync } from "node:fs";

/**
 * Somebody else's program: it writes down what it is sent, and now and then where it is. What it was sent after it last wrote that down
 * comes again when it is killed.
 */
const [url = "", folder = ""] = process.argv.slice(2);

function lastPlace(): string | null {
  try {
    return readFileSync(`${folder}/place`, "utf8");
  } catch {
    return null;
  }
}

async function listen(): Promise<void> {
  const place = lastPlace();
  const response = await fetch(`${url}/v1/events?after=-1`, {
    headers: {
      accept: "text/event-stream",
      authorization: "Bearer anna",
      ...(place === null ? {} : { "last-event-id": place }),
    },
  });
  let rest = "";
  let count = 0;
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    const blocks = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const [, id, data] = /^id: (\d+)\ndata: (.*)$/.exec(block) ?? [];
      if (id === undefined || data === undefined) continue;
      appendFileSync(`${folder}/events`, `${data}\n`);
      count += 1;
      if (count % 7 === 0) writeFileSync(`${folder}/place`, id);
    }
  }
}

for (;;) {
  // A server that is gone comes back, or another one does.
  await listen().catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 50));
}
