import { z } from "zod";
import type { ErrorCode } from "../error/error.ts";
import type { Id } from "../id/id.ts";
import type { Json, JsonObject } from "../json/json.ts";

/** The one way in which an attempt ends. `unknown`: it was in flight when its server died; somebody is told. */
export const terminalStates = ["denied", "expired", "rejected", "cancelled", "halted", "succeeded", "failed", "unknown"] as const;
export type TerminalState = (typeof terminalStates)[number];

/** Where an action is. `waiting`: for an approval. `executing`: its intent is committed, its outcome is not. */
export const actionStateSchema = z.enum(["waiting", "executing", ...terminalStates]);
export type ActionState = z.infer<typeof actionStateSchema>;

/** An action as it is listed and followed; the whole of it is in the ledger. */
export const actionViewSchema = z.object({
  id: z.string(),
  state: actionStateSchema,
  tool: z.string(),
  agent: z.string(),
  runId: z.string().nullable(),
  /** Why it was refused or failed: one of the error codes, and the reason in words. */
  code: z.string().nullable(),
  reason: z.string().nullable(),
  /** The request that it waits for or waited for. */
  approvalId: z.string().nullable(),
  requestedAt: z.string(),
  endedAt: z.string().nullable(),
});
export type ActionView = z.infer<typeof actionViewSchema>;

/** What a tool gave back, in the words of MCP's `CallToolResult`. */
export type ToolResult = {
  content: JsonObject[];
  structuredContent?: JsonObject;
  isError?: boolean;
  _meta?: JsonObject;
  /** Set where nothing is done yet, because the upstream wants to know something first (MCP 2026-07-28, `input_required`). */
  inputRequired?: InputRequired;
};

/** What an upstream asks before it goes on, and the state that the retry has to bring back byte for byte. */
export type InputRequired = { inputRequests?: JsonObject; requestState?: string };

/** An error of JSON-RPC as an upstream gave it. */
export type UpstreamFault = { code: number; message: string; data?: Json };

/** What a caller gets for an attempt. */
export type ActionOutcome = { actionId: Id<"action"> } & (
  | { type: "succeeded"; result: ToolResult }
  | { type: "failed"; code: ErrorCode; reason: string; result?: ToolResult; fault?: UpstreamFault }
  | { type: "denied"; code: ErrorCode; reason: string; policies: string[] }
  | { type: "waiting"; approvalId: Id<"approval">; link: string; expiresAt: string; teams: string[]; reason: string }
);
