import { z } from "zod";

/** Names of assets: they appear in policies, URLs, tool names and terminals, so they stay plain. */
export const nameSchema = z
  .string()
  .max(64)
  .regex(/^[a-z0-9](?:[a-z0-9]|[-_](?=[a-z0-9]))*$/, "expected lower-case letters, digits, single - or _ between them");

/** Names of upstreams: as other names, and never with `__`, which separates upstream and tool. */
export const upstreamNameSchema = nameSchema.refine((name) => !name.includes("__"), "an upstream's name may not contain __");

/** A tool's own name, as its upstream gives it (MCP 2025-11-25: letters, digits, `_`, `-`, `.`). */
export const toolNameSchema = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[A-Za-z0-9_.-]+$/, "expected letters, digits, _ - or .");

/** `upstream__tool`: how a tool is called everywhere outside its own upstream. */
export const qualifiedToolNameSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9]|[-_](?=[a-z0-9]))*?__[A-Za-z0-9_.-]+$/, "expected upstream__tool");

/** `upstream__tool` of its two halves. */
export function qualifiedToolName(upstream: string, tool: string): string {
  return `${upstream}__${tool}`;
}

/** ISO 8601 duration of days, hours, minutes and seconds, for example `PT4H`. */
export const durationSchema = z
  .string()
  .regex(/^P(?=\d|T\d)(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?)?$/, "expected an ISO 8601 duration such as PT4H");
