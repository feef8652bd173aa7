import { lstat, readlink, realpath } from "node:fs/promises";
import type { Shown } from "./view.ts";

/** Programs and libraries. */
const folders = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store"];

/** Of the machine's settings, what programs need to start, to know names and to trust certificates; nothing with a secret in it. */
const settings = [
  "alternatives ca-certificates crypto-policies fonts hosts host.conf ld.so.cache ld.so.conf ld.so.conf.d localtime mime.types",
  "nsswitch.conf os-release passwd group pki/ca-trust pki/tls/certs protocols services ssl/certs ssl/openssl.cnf timezone",
]
  .flatMap((names) => names.split(" "))
  .map((name) => `/etc/${name}`);

/** What every contained program sees of the machine, read-only. */
export async function systemView(): Promise<{ shown: Shown[]; links: { target: string; to: string }[] }> {
  const shown: Shown[] = [];
  const links: { target: string; to: string }[] = [];
  for (const path of folders) {
    const status = await lstat(path).catch(() => null);
    if (status === null) continue;
    if (status.isSymbolicLink()) links.push({ target: path, to: await readlink(path) });
    else shown.push({ source: path, target: path, access: "read" });
  }
  for (const path of settings) {
    const source = await realpath(path).catch(() => null);
    if (source !== null) shown.push({ source, target: path, access: "read" });
  }
  return { shown, links };
}

/** How names are resolved, for a program that may use the machine's own network. */
export async function resolverView(): Promise<Shown[]> {
  const source = await realpath("/etc/resolv.conf").catch(() => null);
  return source === null ? [] : [{ source, target: "/etc/resolv.conf", access: "read" }];
}
