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

test("[DAT-14] what has the shape of a secret or the checksum of an account is in no line, and each line stays JSON", () => {
  const lines = log((logger) => {
    logger.error({ err: new Error("card 4111 1111 1111 1111 was declined"), number: 4111111111111111 }, "for DE89 3704 0044 0532 0130 00");
    logger.info({ url: "postgres://app:hunter22@db/main" }, 'body {"password": "hunter22"}');
  });
  expect(lines.join("")).not.toMatch(/4111|3704|hunter/);
  for (const line of lines) expect(JSON.parse(line)).toMatchObject({ level: expect.any(String) as string });
});
