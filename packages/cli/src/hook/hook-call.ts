/** What a coding agent is about to do, whichever agent it is. */
export type HookCall = { session: string; cwd: string; workspace: string } & HookAct;

export type HookAct =
  | { type: "shell"; command: string }
  | { type: "read"; paths: string[] }
  | { type: "edit"; paths: string[]; linesChanged: number; change: string }
  | { type: "fetch"; url: string }
  | { type: "other"; tool: string; input: string }
  /** A tool of an MCP server: governed at the gateway, where the server is one that goes through Remit. */
  | { type: "mcp"; server: string; tool: string; input: string }
  /** It changes nothing outside of the agent's own conversation. */
  | { type: "talk"; tool: string };

/** What a coding agent is told. */
export type Verdict = { type: "allow" | "ask" | "deny"; reason: string };

/** How one coding agent speaks to its hooks. */
export type HookClient = {
  /** Null: an event that nothing is decided at. @throws where it is not in the documented form. */
  read(event: unknown): HookCall | null;
  /** What goes to stdout, and the exit code. `event` as it came, where it could be parsed. */
  answer(verdict: Verdict, event: unknown): { stdout: string; exit: number };
  /** Settings that make it ask, as they are pasted into `file`. */
  settings(command: string): { file: string; text: string };
};
