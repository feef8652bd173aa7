import type { JsonObject } from "@remit/contract";
import type { ApiOperation } from "@remit/core";
import type { OutboundOptions } from "../outbound/outbound-fetch.ts";
import { createOutbound } from "../outbound/outbound-fetch.ts";
import { readInTurns } from "./api-tools.ts";
import { loadApi } from "./load-api.ts";

/** What there is to know of an API before it is registered. */
export type ApiInspection = {
  title: string;
  /** Where it is called, as whole addresses; without those that are none. */
  servers: string[];
  operations: ApiOperation[];
  leftOut: { operation: string; why: string }[];
  /** Where the document is not what the specification wants; what can be read is read all the same. */
  problems: string[];
};

const maxProblems = 10;

/**
 * Reads an OpenAPI description below a folder or at an address, and holds it to the specification.
 * @throws RemitError `invalid-configuration` | `too-large` | `not-found` | `upstream-unavailable`
 */
export async function inspectApi(document: string, options: { rootDir: string } & OutboundOptions): Promise<ApiInspection> {
  const source = await loadApi(document, { rootDir: options.rootDir, outbound: createOutbound(options) });
  const { title, servers, operations, leftOut } = await readInTurns(source.document);
  return {
    title,
    servers: servers.flatMap((server) => (URL.canParse(server, source.url?.href) ? [new URL(server, source.url?.href).href] : [])),
    operations,
    leftOut,
    problems: await problemsOf(source.document as JsonObject),
  };
}

async function problemsOf(document: JsonObject): Promise<string[]> {
  // Its schemas are large, and only this needs them.
  const { Validator } = await import("@seriousme/openapi-schema-validator");
  // A copy: it is not said that nothing is written to it.
  const answer = await new Validator().validate(structuredClone(document));
  if (answer.valid) return [];
  const errors = typeof answer.errors === "string" ? [answer.errors] : (answer.errors ?? []);
  const words = errors.map((error) => (typeof error === "string" ? error : `${error.instancePath} ${error.message ?? "is wrong"}`.trim()));
  return [...new Set(words)].slice(0, maxProblems);
}
