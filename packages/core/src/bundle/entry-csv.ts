import type { LedgerEvent } from "@remit/contract";
import { entryColumns } from "../ledger/entry-event.ts";

/** The first line of a table of entries. */
export const csvHeader = "seq,time,type,actor,agent,tool,action,run,approval,trace,decision,code,reason,payloads,id\r\n";

/**
 * An entry as a line of a table for people (RFC 4180). It is no evidence by itself: it follows from the body, and the verifier compares
 * the two. What is not in a column is in the body.
 */
export function csvRow(seq: number, event: LedgerEvent): string {
  const columns = entryColumns(event);
  const { data } = event;
  const cells = [
    String(seq),
    columns.at,
    columns.type,
    columns.actor,
    columns.agent,
    columns.tool,
    columns.actionId,
    columns.runId,
    columns.approvalId,
    columns.traceId,
    said(data["decision"] ?? data["verdict"]),
    said(data["code"]),
    said(data["reason"]),
    Object.keys(data.payloads ?? {}).join(" "),
    event.id,
  ];
  return `${cells.map((cell) => csvCell(cell ?? "")).join(",")}\r\n`;
}

/** Where there is no event at this place. */
export function csvGap(seq: number): string {
  return `${seq},,missing,,,,,,,,,,,,\r\n`;
}

function said(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "object" && value !== null && "type" in value && typeof value.type === "string") return value.type;
  return "";
}

/**
 * A spreadsheet runs a cell that begins with one of these as a formula, with whatever an agent was talked into writing there
 * (OWASP, CSV injection). An apostrophe makes it text. Line breaks would begin a row to a careless reader: they become spaces.
 */
function csvCell(text: string): string {
  const line = text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ");
  const safe = /^[\s]*[=+\-@\uff1d\uff0b\uff0d\uff20|%]/.test(line) ? `'${line}` : line;
  return /[",']/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}
