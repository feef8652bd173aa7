import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { parseAllDocuments } from "yaml";

export const chart = new URL("../../deploy/helm/remit", import.meta.url).pathname;

/** One thing that a chart makes. */
export type Manifest = {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels: Record<string, string> };
  [member: string]: unknown;
};

export type Helm = Disposable & {
  version: string;
  lint(values: object): { code: number | null; output: string };
  template(values: object): { code: number | null; output: string; manifests: Manifest[] };
};

/** Helm itself, out of a package that carries it for Linux on x64; null on other machines. */
export function openHelm(): Helm | null {
  if (process.platform !== "linux" || process.arch !== "x64") return null;
  const folder = mkdtempSync(join(tmpdir(), "remit-helm-"));
  const archive = join(createRequire(import.meta.url).resolve("@aws-cdk/asset-kubectl-v20"), "..", "layer.zip");
  const binary = unzipSync(readFileSync(archive), { filter: ({ name }) => name === "helm/helm" })["helm/helm"];
  if (binary === undefined) throw new Error("the package has no helm any more");
  const helm = join(folder, "helm");
  writeFileSync(helm, binary, { mode: 0o755 });

  function run(command: string, args: readonly string[], values: object) {
    const file = join(folder, "values.json");
    writeFileSync(file, JSON.stringify(values));
    const { status, stdout, stderr } = spawnSync(helm, [command, ...args, "--values", file], {
      encoding: "utf8",
      env: { HOME: folder, PATH: "" },
    });
    return { code: status, output: stdout, errors: stderr };
  }

  return {
    version: execFileSync(helm, ["version", "--short"], { encoding: "utf8", env: { HOME: folder } }).trim(),
    lint(values) {
      const { code, output, errors } = run("lint", [chart, "--strict"], values);
      return { code, output: output + errors };
    },
    template(values) {
      const { code, output, errors } = run("template", ["eu", chart, "--namespace", "agents", "--kube-version", "1.31.0"], values);
      const manifests = parseAllDocuments(output).map((document) => document.toJS() as Manifest | null);
      return { code, output: output + errors, manifests: manifests.filter((one) => one !== null) };
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
