import { errorTable, RemitError } from "@remit/contract";
import type { ErrorCode, Issue } from "@remit/contract";
import { safeJson, safeLine, safeText } from "./safe-text.ts";

/** Anything thrown, as one of ours. */
export function asRemitError(thrown: unknown): RemitError {
  if (RemitError.is(thrown)) return thrown;
  return new RemitError("internal", thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
}

/** How a failure is shown on stderr: words, or with `--json` one document. */
export function failureLines(error: RemitError, json: boolean): string[] {
  if (json) {
    const { exit } = errorTable[error.code];
    return [safeJson({ error: { code: error.code, message: error.message, exit, issues: error.issues, next: nextSteps[error.code] } })];
  }
  const next = nextSteps[error.code];
  return [
    `error: ${safeText(error.message)} (${error.code})`,
    ...error.issues.map((issue) => `  ${issueLine(issue)}`),
    ...(next === undefined ? [] : [`next: ${next}`]),
  ];
}

export function issueLine(issue: Issue): string {
  const place = [
    issue.file === undefined ? "" : issue.line === undefined ? issue.file : `${issue.file}:${issue.line}`,
    issue.pointer ?? "",
  ];
  const where = place.filter((part) => part !== "").join(" ");
  return safeLine(where === "" ? issue.message : `${where}: ${issue.message}`);
}

const logIn = "remit login <link> (whoever owns the data folder makes a link with: remit link <party>)";

const nextSteps: Partial<Record<ErrorCode, string>> = {
  "server-unavailable": "start a server with: remit up, or name one with --url",
  unauthenticated: logIn,
  "token-expired": logIn,
  "token-revoked": logIn,
  "link-used": "make a new link with: remit link <party>",
  halted: "remit halt status",
  "safe-mode": "remit halt status",
  "queue-full": "remit queue list",
  "tool-changed": "remit tools diff",
};
