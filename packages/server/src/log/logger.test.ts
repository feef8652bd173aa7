import { expect, test } from "vitest";
import { createLogger } from "./logger.ts";

function log(work: (logger: ReturnType<typeof createLogger>) => void): string[] {
  const lines: string[] = [];
  work(createLogger({ destination: { write: (line: string) => void lines.push(line) } }));
  return lines;
}

test("what usually holds secrets is masked, up to two levels down", () => {
  const lines = log((logger) =>
    logger.info({
      token: "canary",
      request: { headers: { authorization: "Bearer canary", cookie: "remit_session=canary" } },
      body: { clientSecret: "canary", link: "canary" },
      headers: { "set-cookie": "canary" },
    }),
  );
  expect(lines.join()).not.toContain("canary");
  expect(lines.join()).toContain("[redacted]");
});

test("a newline in a value does not begin a line", () => {
  const lines = log((logger) => logger.info({ agent: 'a\n{"level":"info","msg":"forged"}' }, "b\nc\u2028d"));
  expect(lines).toHaveLength(1);
  expect(lines[0]?.trimEnd().split("\n")).toHaveLength(1);
});
