import fc from "fast-check";
import { expect, test } from "vitest";
import { createKnownSecrets } from "./known-secrets.ts";

const secret = 's3cr3t/with+odd "chars" & <more>';

function known(...secrets: string[]) {
  const created = createKnownSecrets();
  created.add(secrets);
  return created;
}

test.each([
  ["as it is", secret],
  ["in JSON", JSON.stringify({ at: secret })],
  ["in a URL", `https://x.example/?q=${encodeURIComponent(secret)}`],
  ["in a form", new URLSearchParams({ q: secret }).toString()],
  ["in base64", Buffer.from(secret).toString("base64")],
  ["in base64url", Buffer.from(secret).toString("base64url")],
  ["in base64, after one byte", Buffer.from(`a${secret}`).toString("base64")],
  ["in base64, between others", Buffer.from(`ab${secret}cd`).toString("base64")],
  ["in a basic authorization", `Basic ${Buffer.from(`user:${secret}`).toString("base64")}`],
  ["in hexadecimal", Buffer.from(secret).toString("hex")],
  ["in HTML", secret.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")],
])("[CTL-33] a secret %s is redacted", (_, text) => {
  const clean = known(secret).text(`before ${text} after`);
  expect(clean).toContain("[redacted]");
  expect(clean.startsWith("before ")).toBe(true);
  expect(clean.endsWith(" after")).toBe(true);
  expect(clean).not.toContain("s3cr3t");
});

test("[CTL-33] wherever it stands in JSON: in values, names and numbers, at every depth; the rest is the same object", () => {
  const { json } = known("canary-canary", "123456789");
  const kept = { deep: ["nothing", { here: 12 }] };
  expect(json({ kept, at: ["x canary-canary"], "canary-canary": 1, pin: 123_456_789 })).toEqual({
    kept,
    at: ["x [redacted]"],
    "[redacted]": 1,
    pin: "[redacted]",
  });
  expect(json(kept)).toBe(kept);
});

test("[CTL-33] base64 of anything around it never leaves the whole secret to be read", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), fc.stringMatching(/^[!-~]{12,40}$/), fc.string({ maxLength: 40 }), (before, value, after) => {
      const { text } = known(value);
      for (const encoding of ["base64", "base64url"] as const) {
        const clean = text(Buffer.from(before + value + after).toString(encoding));
        expect(Buffer.from(clean.replaceAll("[redacted]", ""), encoding).toString()).not.toContain(value);
        expect(clean).toContain("[redacted]");
      }
    }),
  );
});

test("each line of a private key, and not its frame", () => {
  const pem = `-----BEGIN PRIVATE KEY-----\n${"A".repeat(63)}1\n${"B".repeat(40)}\n-----END PRIVATE KEY-----\n`;
  expect(known(pem).text(`-----BEGIN PRIVATE KEY----- ${"B".repeat(40)}`)).toBe("-----BEGIN PRIVATE KEY----- [redacted]");
});

test("what is forgotten as often as it was added is ordinary text again; what is short never was anything else", () => {
  const all = known("canary-canary", "abc");
  all.add(["canary-canary"]);
  all.forget(["canary-canary"]);
  expect(all.text("canary-canary abc")).toBe("[redacted] abc");
  all.forget(["canary-canary"]);
  expect(all.text("canary-canary abc")).toBe("canary-canary abc");
});
