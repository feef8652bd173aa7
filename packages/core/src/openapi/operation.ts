import type { JsonObject } from "@remit/contract";

export const operationMethods = ["get", "head", "put", "post", "delete", "options", "patch"] as const;

export type ParameterPlace = "path" | "query" | "header" | "cookie";
export type ParameterStyle = "simple" | "label" | "matrix" | "form" | "spaceDelimited" | "pipeDelimited" | "deepObject";

/** How one argument becomes part of a request. */
export type ApiParameter = {
  /** Its name among the arguments: its own, or with its place behind it where two are called alike. */
  argument: string;
  name: string;
  in: ParameterPlace;
  style: ParameterStyle;
  explode: boolean;
  allowReserved: boolean;
  /** Sent as JSON text, not by a style. */
  json: boolean;
  required: boolean;
};

export type BodyForm = "json" | "form" | "multipart" | "text" | "binary";

/** How the argument that is the body is sent. */
export type ApiBody = {
  argument: string;
  mediaType: string;
  form: BodyForm;
  required: boolean;
  /** Of forms: members that are files, given in base64. */
  files: string[];
};

/** One way to say who is calling. All members of `schemes` are needed together. */
export type ApiSecurity = { schemes: ApiScheme[] };
export type ApiScheme = { name: string } & (
  | { type: "api-key"; in: "header" | "query" | "cookie"; parameter: string }
  | { type: "basic" }
  /** A token in `Authorization: Bearer`, whatever gave it. */
  | { type: "bearer" }
  | { type: "other"; what: string }
);

/** One operation of an API, as a tool. */
export type ApiOperation = {
  tool: string;
  method: Uppercase<(typeof operationMethods)[number]>;
  /** As the document has it, with its `{…}`. */
  path: string;
  description: string;
  parameters: ApiParameter[];
  body: ApiBody | null;
  /** Alternatives; empty: anybody may call it. */
  security: ApiSecurity[];
  inputSchema: JsonObject;
  outputSchema: JsonObject | null;
  /** The structured result stands under `result`, because it is no object. */
  wrapsResult: boolean;
};

/** What an API offers, and what of it cannot be offered. */
export type ApiOperations = {
  title: string;
  /** Addresses that the document names, as it names them. */
  servers: string[];
  operations: ApiOperation[];
  leftOut: { operation: string; why: string }[];
};
