import { type Json, type JsonObject, RemitError } from "@remit/contract";
import { type Standing, type ToolPin, canonicalJson, valueAt } from "@remit/core";
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormatsModule from "ajv-formats";
import { readJson } from "../json/read-json.ts";
import { boundedCheck } from "./bounded-check.ts";
import type { BoundedCheck } from "./bounded-check.ts";

// The package is CommonJS: under Node its function is the `default` member of what is imported.
const addFormats = addFormatsModule.default;

/** Arguments in the one form that is digested, decided on, shown, recorded and executed. */
export type NormalArguments = { value: JsonObject; canonical: string };

export type Normaliser = {
  /** @throws RemitError `invalid-arguments` with a JSON pointer for each problem. */
  arguments(pin: ToolPin, input: unknown): NormalArguments;
  /** What is wrong with a tool's structured result, or null. */
  resultProblem(pin: ToolPin, structured: JsonObject): string | null;
};

/** Schemas are compiled once per pinned version. */
const maxCompiled = 2_000;

type Validator = { validate: ValidateFunction; check: BoundedCheck };
type Problem = Pick<ErrorObject, "instancePath" | "message" | "params">;

const none: readonly never[] = [];

function problems({ validate, check }: Validator, value: JsonObject, size: number): readonly Problem[] {
  try {
    return check(value, size) ? none : (validate.errors ?? none);
  } catch (error) {
    if (!RemitError.is(error)) throw error;
    return [{ instancePath: "", message: `cannot be checked: ${error.message}`, params: {} }];
  }
}

export function createNormaliser(): Normaliser {
  const compiled = new Map<string, Validator | RemitError>();

  function validator(key: string, schema: JsonObject): Validator {
    let known = compiled.get(key);
    if (known === undefined) {
      known = compile(schema);
      if (compiled.size >= maxCompiled) compiled.clear();
      compiled.set(key, known);
    }
    if (known instanceof RemitError) throw known;
    return known;
  }

  return {
    arguments(pin, input) {
      const given = input === undefined ? {} : input;
      if (typeof given !== "object" || given === null || Array.isArray(given))
        throw new RemitError("invalid-arguments", "The arguments must be an object.");
      // Canonical first: it bounds the depth, and what has no canonical form is not looked at any further.
      const canonical = canonicalJson(given as JsonObject);
      const value = readJson(canonical) as JsonObject;
      const wrong = problems(validator(`in/${pin.digest}`, pin.inputSchema), value, canonical.length);
      const unknown = undeclared(pin.inputSchema, value);
      if (wrong.length > 0 || unknown.length > 0) {
        const issues = [...wrong.map(toIssue), ...unknown];
        const words = issues.map(({ pointer, message }) => `${pointer === "" ? "the arguments" : pointer} ${message}`).join("; ");
        throw new RemitError("invalid-arguments", `The arguments do not fit the tool's schema: ${words}.`, { issues });
      }
      return { value, canonical };
    },
    resultProblem(pin, structured) {
      if (pin.outputSchema === null) return null;
      const found = problems(validator(`out/${pin.digest}`, pin.outputSchema), structured, Number.MAX_SAFE_INTEGER);
      return found.length === 0 ? null : found.map((error) => `${error.instancePath} ${error.message ?? "is wrong"}`).join("; ");
    },
  };
}

/**
 * Members that the schema does not declare are refused, although JSON Schema would let them pass: policy is written over the
 * declared members, and one that it cannot see is a way around it. A schema that opens itself in so many words is left open.
 */
function undeclared(schema: Json | undefined, value: Json | undefined): readonly Issue[] {
  if (!isObject(schema) || typeof value !== "object" || value === null || hasOneOf(schema, referring)) return none;
  if (Array.isArray(value)) return below(value, (index) => undeclared(schema["items"], value[Number(index)]));
  const { properties } = schema;
  if (!isObject(properties)) return none;
  return below(value, (name) => {
    if (Object.hasOwn(properties, name)) return undeclared(properties[name], value[name]);
    if (hasOneOf(schema, opening)) return none;
    return [{ message: `is not declared by the tool (it declares ${Object.keys(properties).join(", ")})`, pointer: "" }];
  });
}

type Issue = { message: string; pointer: string };

const referring = ["$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if"];
const opening = ["additionalProperties", "patternProperties", "unevaluatedProperties"];

function hasOneOf(schema: JsonObject, keywords: readonly string[]): boolean {
  for (const keyword of keywords) if (keyword in schema) return true;
  return false;
}

/** What is found in a value's members, with pointers from the value: only what is found pays for saying where. */
function below(value: object, find: (name: string) => readonly Issue[]): readonly Issue[] {
  let issues: Issue[] | null = null;
  for (const name of Object.keys(value)) {
    for (const { message, pointer } of find(name)) (issues ??= []).push({ message, pointer: `/${escape(name)}${pointer}` });
  }
  return issues ?? none;
}

/**
 * The reason for a refusal as it is recorded: of what the call said it has the names that the tool declares, and no other.
 * The ledger keeps it for good, and what an agent makes up may be about anybody.
 */
export function recordableReason({ pin, spec }: Standing["tool"], { message, issues }: RemitError): string {
  const names = declaredNames(pin.inputSchema);
  for (const { pointer } of [...(spec.amount === undefined ? [] : [spec.amount]), ...(spec.subjects ?? [])])
    for (const part of pointer.split("/").slice(1)) names.add(part);
  const places = issues.map(({ pointer = "" }) => {
    const parts = pointer.split("/").slice(1);
    const unknown = parts.findIndex((part) => !names.has(part) && !/^\d{1,9}$/.test(part));
    return unknown === -1
      ? null
      : parts
          .slice(0, unknown)
          .map((part) => `/${part}`)
          .join("");
  });
  if (places.every((place) => place === null)) return message;
  const words = issues.map(({ pointer = "", message: what }, index) => {
    const place = places[index] ?? null;
    if (place !== null) return `${place === "" ? "the arguments" : place}, in a member that the schema does not name: ${what}`;
    return `${pointer === "" ? "the arguments" : pointer} ${what}`;
  });
  return `The arguments do not fit the tool's schema: ${words.join("; ")}.`;
}

/** As they stand in a pointer. */
function declaredNames(schema: Json | undefined, found = new Set<string>()): Set<string> {
  if (Array.isArray(schema)) for (const one of schema) declaredNames(one, found);
  else if (isObject(schema)) {
    if (isObject(schema["properties"])) for (const name of Object.keys(schema["properties"])) found.add(escape(name));
    for (const member of Object.values(schema)) declaredNames(member, found);
  }
  return found;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What cannot be compiled is not tried again: a large schema that fails costs seconds. */
function compile(schema: JsonObject): Validator | RemitError {
  const dialect = typeof schema["$schema"] === "string" ? schema["$schema"] : "";
  const options = { strict: false, allErrors: false, validateFormats: true, logger: false } as const;
  const ajv = /draft-0[467]/.test(dialect) ? new Ajv(options) : new Ajv2020(options);
  addFormats(ajv);
  try {
    // An id would be registered; two tools may carry the same one. A dialect of its own would have to be fetched.
    const { $schema: _dialect, $id: _id, ...rest } = schema;
    const validate = ajv.compile(rest);
    return { validate, check: boundedCheck(validate, schema) };
  } catch (cause) {
    return new RemitError(
      "tool-changed",
      `The tool's schema cannot be compiled: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

function toIssue(error: Problem): { message: string; pointer: string } {
  const extra = error.params["additionalProperty"] ?? error.params["unevaluatedProperty"];
  if (typeof extra === "string") return { message: "is not declared by the tool", pointer: `${error.instancePath}/${escape(extra)}` };
  return { message: error.message ?? "is wrong", pointer: error.instancePath };
}

function escape(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

/**
 * The amount that budgets count, where the tool has one.
 *
 * @throws RemitError `invalid-arguments` when it is missing, not an integer or negative: an amount that cannot be counted cannot be capped.
 */
export function amountOf(pointer: string | undefined, value: JsonObject): number | null {
  if (pointer === undefined) return null;
  const amount = valueAt(value, pointer);
  if (typeof amount === "number" && Number.isSafeInteger(amount) && amount >= 0) return amount;
  throw new RemitError("invalid-arguments", `${pointer} must be a whole, non-negative number of minor units (cents).`, {
    issues: [{ message: "must be a whole, non-negative number of minor units", pointer }],
  });
}
