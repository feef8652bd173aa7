import type { CredentialUse, Issue, UpstreamSpec } from "@remit/contract";
import { secretFault } from "../secret/secret-shape.ts";
import { issueAt } from "./registry-documents.ts";
import type { AssetDocument, DocumentIndex } from "./registry-documents.ts";

/** No secret stands in a file: what is applied is kept for good, planned in public and shown to whoever reads the registry. */
export function checkSecrets(index: DocumentIndex): Issue[] {
  return [...index.all("upstream").flatMap(literalsOf), ...index.all("upstream").flatMap((document) => usesOf(document, index))];
}

function literalsOf({ spec, place }: AssetDocument<UpstreamSpec>): Issue[] {
  return settingsOf(spec).flatMap(({ pointer, name, value }) => {
    const fault = secretFault(name, value);
    if (fault === null) return [];
    return [
      issueAt(
        place,
        pointer,
        `${name === "" ? "this" : name} ${fault}: keep it with \`remit secret set ${spec.name}/${pathOf(name)}\`, and name it in a credential of this upstream`,
      ),
    ];
  });
}

type Setting = { pointer: string; name: string; value: string };

function settingsOf({ transport }: UpstreamSpec): Setting[] {
  if (transport.type === "stdio") {
    const env = Object.entries(transport.env).map(([name, value]) => ({ pointer: `/transport/env/${escaped(name)}`, name, value }));
    const args = transport.args.map((arg, position) => {
      const [, flag, value] = /^(-{1,2}[A-Za-z][\w-]*)=(.*)$/s.exec(arg) ?? [];
      const before = transport.args[position - 1] ?? "";
      const named = flag ?? (/^--?[A-Za-z][\w-]*$/.test(before) && !arg.startsWith("-") ? before : "");
      return { pointer: `/transport/args/${position}`, name: named, value: value ?? arg };
    });
    return [...env, ...args];
  }
  if (transport.type !== "http") return [];
  // Core knows no URL class: what matters stands between the marks.
  const query = transport.url.split("#")[0]?.split("?")[1] ?? "";
  const parameters = query.split("&").map((pair) => {
    const [name = "", value = ""] = pair.split("=");
    return { pointer: "/transport/url", name, value };
  });
  return [{ pointer: "/transport/url", name: "", value: transport.url }, ...parameters];
}

/** A credential that its upstream's transport has no place for would silently not be shown. */
function usesOf({ spec, place }: AssetDocument<UpstreamSpec>, index: DocumentIndex): Issue[] {
  const names = spec.credential === undefined ? [] : typeof spec.credential === "string" ? [spec.credential] : spec.credential;
  const places = new Set<string>();
  return names.flatMap((name, position) => {
    const credential = index.get("credential", name)?.spec;
    if (credential === undefined) return [];
    const pointer = typeof spec.credential === "string" ? "/credential" : `/credential/${position}`;
    const { use, from } = credential;
    if ((spec.transport.type === "stdio") !== (use.type === "env")) {
      const fit = spec.transport.type === "stdio" ? "env" : "bearer, header, basic, query or client-certificate";
      return [issueAt(place, pointer, `${name} is used as ${use.type}, and a ${spec.transport.type} upstream takes ${fit}`)];
    }
    if (from.type === "oauth-user" && from.per === "person" && spec.transport.type === "stdio") {
      return [issueAt(place, pointer, `${name} is one person's, and a stdio upstream is one program for everybody`)];
    }
    const where = placeOf(use);
    if (places.has(where)) return [issueAt(place, pointer, `${name} is shown in the same place as another credential (${where})`)];
    places.add(where);
    return [];
  });
}

function placeOf(use: CredentialUse): string {
  switch (use.type) {
    case "bearer":
    case "basic":
      return "header authorization";
    case "header":
      return `header ${use.name.toLowerCase()}`;
    case "query":
    case "env":
      return `${use.type} ${use.name}`;
    case "client-certificate":
      return use.type;
  }
}

function pathOf(name: string): string {
  return (
    name
      .toLowerCase()
      .replace(/^-+/, "")
      .replace(/[^a-z0-9._-]+/g, "-") || "token"
  );
}

function escaped(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}
