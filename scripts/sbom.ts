import { execFileSync } from "node:child_process";
import { globSync, writeFileSync } from "node:fs";

/** Writes what runs, as CycloneDX, to the file that is named, or to standard output. npm makes it from the lock and what is installed. */
const shipped = globSync("packages/*").flatMap((folder) => ["--workspace", folder]);
const text = execFileSync("npm", ["sbom", "--sbom-format", "cyclonedx", "--omit", "dev", ...shipped], {
  encoding: "utf8",
  maxBuffer: 64 * 1024 * 1024,
  stdio: ["ignore", "pipe", "ignore"],
});
const [file] = process.argv.slice(2);
if (file === undefined) process.stdout.write(text);
else writeFileSync(file, text);
