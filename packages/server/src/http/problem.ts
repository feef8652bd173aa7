import type { ErrorCode, Problem } from "@remit/contract";
import { errorTable, RemitError } from "@remit/contract";

/** What Fastify itself refuses, in our words. */
const frameworkCodes: Record<string, { code: ErrorCode; detail: string }> = {
  FST_ERR_CTP_BODY_TOO_LARGE: { code: "too-large", detail: "The body is larger than this route accepts" },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { code: "unsupported-media-type", detail: "Send the body as application/json" },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: { code: "invalid-request", detail: "The body is not as long as Content-Length says" },
  FST_ERR_BAD_URL: { code: "invalid-request", detail: "The path is not a valid URL path" },
  FST_ERR_MAX_PARAM_LENGTH: { code: "invalid-request", detail: "A part of the path is too long" },
};

/** Any error as one of ours. What is not expected becomes `internal`, and says nothing of the inside. */
export function toRemitError(error: unknown): RemitError {
  if (RemitError.is(error)) return error;
  const code = errorMember(error, "code");
  const known = typeof code === "string" ? frameworkCodes[code] : undefined;
  if (known !== undefined) return new RemitError(known.code, known.detail, { cause: error });
  const status = errorMember(error, "statusCode");
  if (typeof status === "number" && status >= 400 && status < 500) {
    return new RemitError("invalid-request", "The request could not be read", { cause: error });
  }
  return new RemitError("internal", "Something went wrong here; the server's log has it under this request id", { cause: error });
}

/** The problem document of an error. */
export function problemOf(error: RemitError, requestId: string): Problem {
  return {
    type: `about:blank#${error.code}`,
    title: titleOf(error.code),
    status: errorTable[error.code].http,
    detail: error.message,
    code: error.code,
    issues: error.issues.map((issue) => ({ ...issue })),
    requestId,
  };
}

function titleOf(code: ErrorCode): string {
  const words = code.replaceAll("-", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function errorMember(error: unknown, member: "code" | "statusCode"): unknown {
  return typeof error === "object" && error !== null && member in error ? (error as Record<string, unknown>)[member] : undefined;
}
