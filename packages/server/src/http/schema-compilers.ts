import { issuesOf, RemitError } from "@remit/contract";
import type { FastifySchemaCompiler, FastifySerializerCompiler } from "fastify/types/schema.js";
import type { z } from "zod";

const parts: Record<string, string> = { body: "The body", querystring: "The query", params: "The path", headers: "The headers" };

/** Validates a part of a request by its zod schema. @throws RemitError `invalid-request` with the pointers of what is wrong. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  const part = parts[httpPart ?? ""] ?? "The request";
  return (data: unknown) => {
    // Fastify says null where there is no body.
    const parsed = schema.safeParse(httpPart === "body" && data === null ? undefined : data);
    if (parsed.success) return { value: parsed.data };
    return { error: new RemitError("invalid-request", `${part} is not as expected`, { issues: issuesOf(parsed.error) }) };
  };
};

/** Writes an answer through its schema, so that what the schema does not name does not leave the server. */
export const serializerCompiler: FastifySerializerCompiler<z.ZodType> = ({ schema, method, url }) => {
  return (data: unknown) => {
    const parsed = schema.safeParse(data);
    if (parsed.success) return JSON.stringify(parsed.data);
    throw new Error(`the answer of ${method} ${url} is not as its schema says`, { cause: parsed.error });
  };
};
