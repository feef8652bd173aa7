import type { Json, JsonObject } from "@remit/contract";
import { apiDocument, dereferenced, isJsonObject, member, NotOffered, text } from "./api-document.ts";
import type { ApiDocument } from "./api-document.ts";
import { createSchemaReader } from "./api-schema.ts";
import type { SchemaReader } from "./api-schema.ts";
import { operationMethods } from "./operation.ts";
import type { ApiBody, ApiOperation, ApiOperations, ApiParameter, BodyForm, ParameterPlace, ParameterStyle } from "./operation.ts";
import { operationNames } from "./operation-name.ts";
import { readSecurity } from "./read-security.ts";

const maxOperations = 2_000;
const maxDescription = 4_000;

type Found = { id: string | null; method: (typeof operationMethods)[number]; path: string; item: JsonObject; operation: JsonObject };

/**
 * The operations of an OpenAPI description as tools. One that cannot be offered is left out, with the reason, and holds up no other.
 * @throws RemitError `invalid-configuration` when it is no such description
 */
export function readOperations(value: Json): ApiOperations {
  const steps = readingOperations(value);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** As `readOperations`, one operation a step: a large description takes longer than a server may be held up. */
export function* readingOperations(value: Json): Generator<void, ApiOperations> {
  const document = apiDocument(value);
  const { root } = document;
  const found: Found[] = [];
  const leftOut: ApiOperations["leftOut"] = [];
  for (const [path, each] of Object.entries(isJsonObject(root["paths"]) ? root["paths"] : {})) {
    const item = attempt(leftOut, path, () => dereferenced(document, each));
    if (item === null || !path.startsWith("/")) continue;
    for (const method of operationMethods) {
      const operation = member(item, method);
      if (isJsonObject(operation)) found.push({ id: text(operation["operationId"]), method, path, item, operation });
    }
  }
  const operations: ApiOperation[] = [];
  const names = operationNames(found);
  for (const [index, each] of found.entries()) {
    const tool = names[index] ?? "";
    const label = `${each.method.toUpperCase()} ${each.path}`;
    if (index >= maxOperations) leftOut.push({ operation: label, why: `there are more than ${maxOperations} operations` });
    else if (tool === "") leftOut.push({ operation: label, why: "nothing of its name can be used as the name of a tool" });
    else if (names.filter((name) => name === tool).length > 1)
      leftOut.push({ operation: label, why: `another operation would be called ${tool} too; give them operationIds of their own` });
    else {
      const read = attempt(leftOut, label, () => readOperation(document, each, tool));
      if (read !== null) operations.push(read);
      yield;
    }
  }
  const servers = Array.isArray(root["servers"]) ? root["servers"].flatMap(serverUrl) : [];
  const title = isJsonObject(root["info"]) ? text(root["info"]["title"]) : null;
  return { title: title ?? "an API without a title", servers, operations, leftOut };
}

function attempt<Result>(leftOut: ApiOperations["leftOut"], operation: string, read: () => Result): Result | null {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof NotOffered)) throw error;
    leftOut.push({ operation, why: error.message });
    return null;
  }
}

function readOperation(document: ApiDocument, { method, path, item, operation }: Found, tool: string): ApiOperation {
  const input = createSchemaReader(document, "request");
  const output = createSchemaReader(document, "response");
  const parameters = readParameters(document, input, item, operation, path);
  const body =
    method === "get" || method === "head"
      ? null
      : readBody(document, input, operation, new Set(parameters.map(({ spec }) => spec.argument)));
  const properties = new Map<string, Json>(parameters.map(({ spec, schema }) => [spec.argument, schema]));
  if (body !== null) properties.set(body.spec.argument, body.schema);
  const required = [...parameters.map(({ spec }) => spec), ...(body === null ? [] : [body.spec])].filter((spec) => spec.required);
  const definitions = input.definitions();
  const response = readResponse(document, output, operation);
  const words = [text(operation["summary"]) ?? text(item["summary"]), text(operation["description"]) ?? text(item["description"])];
  const description = [...new Set(words.filter((word) => word !== null))].join("\n\n").slice(0, maxDescription);
  return {
    tool,
    method: method.toUpperCase() as ApiOperation["method"],
    path,
    description: description === "" ? `${method.toUpperCase()} ${path}` : description,
    parameters: parameters.map(({ spec }) => spec),
    body: body?.spec ?? null,
    security: readSecurity(document, operation),
    inputSchema: {
      type: "object",
      properties: Object.fromEntries(properties),
      ...(required.length === 0 ? {} : { required: required.map(({ argument }) => argument) }),
      additionalProperties: false,
      ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions }),
    },
    ...response,
  };
}

type Read<Spec> = { spec: Spec; schema: Json };

const places = new Set<Json | undefined>(["path", "query", "header", "cookie"] satisfies ParameterPlace[]);
/** Headers that the specification says are none of a parameter's, and those that belong to whoever sends. */
const ownHeaders =
  /^(?:accept|content-type|authorization|host|content-length|transfer-encoding|connection|cookie|upgrade|te|trailer|expect|keep-alive|proxy-.*|forwarded|x-forwarded-.*)$/i;
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function readParameters(
  document: ApiDocument,
  reader: SchemaReader,
  item: JsonObject,
  operation: JsonObject,
  path: string,
): Read<ApiParameter>[] {
  const listed = new Map<string, JsonObject>();
  for (const owner of [item, operation]) {
    for (const each of Array.isArray(owner["parameters"]) ? owner["parameters"] : []) {
      const parameter = dereferenced(document, each);
      if (parameter === null || typeof parameter["name"] !== "string" || !places.has(parameter["in"]))
        throw new NotOffered("one of its parameters is malformed");
      listed.set(JSON.stringify([parameter["in"], parameter["name"]]), parameter);
    }
  }
  const read: Read<ApiParameter>[] = [];
  const taken = new Set<string>();
  for (const place of ["path", "query", "header", "cookie"] as const) {
    for (const parameter of listed.values()) {
      if (parameter["in"] !== place) continue;
      const name = text(parameter["name"]) ?? "";
      if (place === "header" && ownHeaders.test(name)) continue;
      if ((place === "header" || place === "cookie") && !token.test(name))
        throw new NotOffered(`its ${place} parameter has a name that no ${place} can have`);
      const argument = taken.has(name) ? `${name}_${place}` : name;
      if (taken.has(argument)) throw new NotOffered(`two of its parameters would be called ${argument}`);
      taken.add(argument);
      read.push({ spec: readStyle(parameter, place, name, argument), schema: described(reader, parameter) });
    }
  }
  if (/[?#\\\s]|\/\.{1,2}(?:\/|$)/.test(path)) throw new NotOffered("its path is more than a path");
  const inPath = [...path.matchAll(/\{([^}]*)\}/g)].map(([, name]) => name ?? "");
  for (const name of inPath)
    if (!read.some(({ spec }) => spec.in === "path" && spec.name === name))
      throw new NotOffered(`its path has {${name}}, and no parameter says what that is`);
  return read.filter(({ spec }) => spec.in !== "path" || inPath.includes(spec.name));
}

const styles: Record<ParameterPlace, readonly [ParameterStyle, ...ParameterStyle[]]> = {
  path: ["simple", "label", "matrix"],
  query: ["form", "spaceDelimited", "pipeDelimited", "deepObject"],
  header: ["simple"],
  cookie: ["form"],
};

function readStyle(parameter: JsonObject, place: ParameterPlace, name: string, argument: string): ApiParameter {
  const style = styles[place].find((each) => each === (parameter["style"] ?? styles[place][0]));
  if (style === undefined)
    throw new NotOffered(
      `its parameter ${name} has the style ${JSON.stringify(parameter["style"])}, which a ${place} parameter cannot have`,
    );
  const json = contentOf(parameter);
  if (json !== null && !isJsonType(json.mediaType))
    throw new NotOffered(`its parameter ${name} is sent as ${json.mediaType}, which is not supported`);
  return {
    argument,
    name,
    in: place,
    style,
    explode: typeof parameter["explode"] === "boolean" ? parameter["explode"] : style === "form",
    allowReserved: place === "query" && parameter["allowReserved"] === true,
    json: json !== null,
    required: place === "path" || parameter["required"] === true,
  };
}

function contentOf(holder: JsonObject): { mediaType: string; schema: Json | undefined } | null {
  const { content } = holder;
  if (!isJsonObject(content)) return null;
  const [first] = Object.entries(content);
  return first === undefined ? null : { mediaType: first[0], schema: isJsonObject(first[1]) ? first[1]["schema"] : undefined };
}

function described(reader: SchemaReader, parameter: JsonObject): Json {
  const schema = reader.read(contentOf(parameter)?.schema ?? parameter["schema"]);
  const words = text(parameter["description"]);
  return isJsonObject(schema) && words !== null && schema["$ref"] === undefined
    ? { ...schema, description: words.slice(0, maxDescription) }
    : schema;
}

/** Media types in the order in which they are preferred. */
const bodyForms: readonly [RegExp, BodyForm][] = [
  [/^application\/json(?:;|$)/i, "json"],
  [/^application\/[^;]*\+json(?:;|$)/i, "json"],
  [/^application\/x-www-form-urlencoded(?:;|$)/i, "form"],
  [/^multipart\/form-data(?:;|$)/i, "multipart"],
  [/^(?:\*\/\*|application\/\*)$/, "json"],
  [/^text\//i, "text"],
  [/^[\w.+-]+\/[\w.+-]+(?:;|$)/, "binary"],
];

function readBody(document: ApiDocument, reader: SchemaReader, operation: JsonObject, taken: ReadonlySet<string>): Read<ApiBody> | null {
  const body = dereferenced(document, operation["requestBody"]);
  if (body === null || !isJsonObject(body["content"])) return null;
  const { content } = body;
  for (const [pattern, form] of bodyForms) {
    const mediaType = Object.keys(content).find((each) => pattern.test(each));
    if (mediaType === undefined) continue;
    const media = member(content, mediaType);
    const given = isJsonObject(media) ? media["schema"] : undefined;
    const schema = reader.read(given);
    const isForm = form === "form" || form === "multipart";
    if (isForm && (!isJsonObject(schema) || !isJsonObject(schema["properties"])))
      throw new NotOffered("its body is a form, and its schema does not say which fields it has");
    const argument = taken.has("body") ? "body_content" : "body";
    if (taken.has(argument)) throw new NotOffered("two of its parameters are called as its body would be");
    const spec: ApiBody = {
      argument,
      mediaType: mediaType.includes("*") ? "application/json" : mediaType,
      form,
      required: body["required"] === true,
      files: form === "multipart" ? fileMembers(schema) : [],
    };
    return {
      spec,
      schema: form === "binary" ? binaryBody : form === "text" ? { type: "string" } : withWords(schema, text(body["description"])),
    };
  }
  throw new NotOffered("its body is of a kind that is not supported");
}

const binaryBody: JsonObject = { type: "string", contentEncoding: "base64", description: "The bytes, in base64." };

function withWords(schema: Json, words: string | null): Json {
  return isJsonObject(schema) && schema["$ref"] === undefined && schema["description"] === undefined && words !== null
    ? { ...schema, description: words.slice(0, maxDescription) }
    : schema;
}

function fileMembers(schema: Json): string[] {
  const properties = isJsonObject(schema) && isJsonObject(schema["properties"]) ? schema["properties"] : {};
  return Object.entries(properties).flatMap(([name, each]) => {
    const item = isJsonObject(each) && isJsonObject(each["items"]) ? each["items"] : each;
    return isJsonObject(item) &&
      (item["contentEncoding"] === "base64" || item["format"] === "binary" || item["contentMediaType"] === "application/octet-stream")
      ? [name]
      : [];
  });
}

/** What a call that succeeds gives back, where the document leaves only one thing that it can be. */
function readResponse(
  document: ApiDocument,
  reader: SchemaReader,
  operation: JsonObject,
): Pick<ApiOperation, "outputSchema" | "wrapsResult"> {
  const none = { outputSchema: null, wrapsResult: false };
  const responses = isJsonObject(operation["responses"]) ? Object.entries(operation["responses"]) : [];
  const successes = responses.filter(([status]) => status.startsWith("2"));
  const [only] = successes;
  if (only === undefined || successes.length > 1) return none;
  const response = dereferenced(document, only[1]);
  const content = response !== null && isJsonObject(response["content"]) ? Object.entries(response["content"]) : [];
  const [media, other] = content;
  if (media === undefined || other !== undefined || !isJsonType(media[0]) || !isJsonObject(media[1]) || media[1]["schema"] === undefined)
    return none;
  const schema = reader.read(media[1]["schema"]);
  if (!isJsonObject(schema)) return none;
  const definitions = reader.definitions();
  const shared = Object.keys(definitions).length === 0 ? {} : { $defs: definitions };
  // Structured results are objects; what is none stands under a name.
  const target = typeof schema["$ref"] === "string" ? definitions[schema["$ref"].slice("#/$defs/".length)] : schema;
  if (isJsonObject(target) && target["type"] === "object")
    return { outputSchema: { type: "object", ...schema, ...shared }, wrapsResult: false };
  return { outputSchema: { type: "object", properties: { result: schema }, required: ["result"], ...shared }, wrapsResult: true };
}

function isJsonType(mediaType: string): boolean {
  return /^application\/(?:json|[^;]*\+json)(?:;|$)/i.test(mediaType);
}

/** An address with its variables at their defaults. */
function serverUrl(server: Json): string[] {
  if (!isJsonObject(server) || typeof server["url"] !== "string") return [];
  const variables = isJsonObject(server["variables"]) ? server["variables"] : {};
  return [
    server["url"].replaceAll(/\{([^}]*)\}/g, (whole, name: string) => {
      const variable = member(variables, name);
      return isJsonObject(variable) && typeof variable["default"] === "string" ? variable["default"] : whole;
    }),
  ];
}
