import { expect, test } from "vitest";
import { secretFault } from "./secret-shape.ts";

// Put together here, so that no scanner takes this file for a leak.
const made = (...parts: string[]): string => parts.join("");

test.each([
  ["GITHUB_TOKEN", "abcdefgh1234", "name of a secret"],
  ["openaiApiKey", "whatever-it-is", "name of a secret"],
  ["DB_PASSWORD", "correct horse battery", "name of a secret"],
  ["--api-key", "k-1234567", "name of a secret"],
  ["NOTE", made("ghp", "_", "a".repeat(36)), "GitHub"],
  ["NOTE", made("xoxb", "-1234567890-abcdefghij"), "Slack"],
  ["NOTE", made("sk", "-ant-", "a1".repeat(12)), "model provider"],
  ["NOTE", made("AKIA", "ABCDEFGHIJKLMNOP"), "AWS"],
  ["NOTE", made("-----BEGIN ", "RSA PRIVATE KEY-----"), "private key"],
  ["DATABASE_URL", "postgres://app:hunter2@db/app", "URL with a password"],
  ["HEADER", "Authorization: Bearer abcdefghijklmnop", "authorization header"],
  ["STRIPE_KEY", "a1B2c3D4e5F6g7H8i9J0k1", "looks like a key"],
])("[CTL-07] %s = … is not taken into a file", (name, value, why) => {
  const fault = secretFault(name, value);
  expect(fault).toContain(why);
  expect(fault).not.toContain(value);
});

test.each([
  ["LOG_LEVEL", "debug"],
  ["TOKEN_FILE", "/run/secrets/token"],
  ["SECRET_NAME", "crm/token"],
  ["USE_TOKEN", "true"],
  ["AUTH_TYPE", "basic"],
  ["CACHE_KEY", "contacts"],
  ["PARTITION_KEY", "region-and-customer"],
  ["DATABASE_URL", "postgres://db/app"],
  ["HOME", "/home/app"],
  ["ENDPOINT", "https://api.example.com/v1/tokens"],
  ["MAX_TOKENS", "4096"],
])("%s = %s is a setting", (name, value) => {
  expect(secretFault(name, value)).toBeNull();
});
