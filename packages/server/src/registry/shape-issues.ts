import { pointerStep } from "@remit/contract";
import { didYouMean } from "@remit/core";
import type { z } from "zod";

/** Of one document; finding the line of each takes time. */
const maxIssues = 20;

type ShapeIssue = { pointer: string; message: string };

/** What a failed parse says, in words for whoever wrote the document. */
export function shapeIssues(error: z.core.$ZodError, schema: z.core.$ZodType, value: unknown): ShapeIssue[] {
  return error.issues.flatMap((issue) => words(issue, schema, value)).slice(0, maxIssues);
}

function words(issue: z.core.$ZodIssue, schema: z.core.$ZodType, value: unknown): ShapeIssue[] {
  const pointer = issue.path.map(pointerStep).join("");
  const name = String(issue.path.at(-1) ?? "");
  const found = valueAt(value, issue.path);
  if (issue.code === "unrecognized_keys") {
    const known = membersAt(schema, value, issue.path);
    return issue.keys.slice(0, maxIssues).map((key) => ({
      pointer: pointer + pointerStep(key),
      message: `there is no member "${key}" here${didYouMean(key, known) || `; it takes ${known.join(", ")}`}`,
    }));
  }
  if (found === undefined && name !== "") return [{ pointer, message: `"${name}" is missing${expectation(issue)}` }];
  switch (issue.code) {
    case "invalid_type":
      return [{ pointer, message: `expected ${issue.expected === "int" ? "a whole number" : issue.expected}, found ${kindOf(found)}` }];
    case "invalid_value": {
      const values = issue.values.map(String);
      return [{ pointer, message: `expected ${values.join(", ")}, found ${JSON.stringify(found)}${didYouMean(String(found), values)}` }];
    }
    case "invalid_union": {
      const options = issue.errors.flatMap((branch) =>
        branch.flatMap((inner) => (inner.code === "invalid_value" ? inner.values.map(String) : [])),
      );
      const allowed = options.length > 0 ? options : discriminators(schema, value, issue.path);
      return [{ pointer, message: `expected ${allowed.join(", ")}, found ${JSON.stringify(found)}${didYouMean(String(found), allowed)}` }];
    }
    default:
      return [{ pointer, message: issue.message }];
  }
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_value") return `; it is one of ${issue.values.map(String).join(", ")}`;
  if (issue.code !== "invalid_type") return "";
  return issue.expected === "array"
    ? "; it is a list"
    : issue.expected === "object"
      ? ""
      : `; it is ${issue.expected === "int" ? "a whole number" : `a ${issue.expected}`}`;
}

function kindOf(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `${typeof value} ${JSON.stringify(value)}`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === "object" && at !== null && Object.hasOwn(at, key) ? (at as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  );
}

/** The members that the object at a path may have. */
function membersAt(schema: z.core.$ZodType, value: unknown, path: readonly PropertyKey[]): string[] {
  const at = schemaAt(schema, value, path);
  return at?._zod.def.type === "object" ? Object.keys((at as z.core.$ZodObject)._zod.def.shape) : [];
}

/** What the member that tells the branches of a union apart may be. */
function discriminators(schema: z.core.$ZodType, value: unknown, path: readonly PropertyKey[]): string[] {
  const parent = schemaAt(schema, value, path.slice(0, -1), false);
  if (parent?._zod.def.type !== "union") return [];
  const key = String(path.at(-1));
  return (parent as z.core.$ZodUnion)._zod.def.options.flatMap((option) => [...(option._zod.propValues?.[key] ?? [])].map(String));
}

function schemaAt(schema: z.core.$ZodType, value: unknown, path: readonly PropertyKey[], choose = true): z.core.$ZodType | undefined {
  let at: z.core.$ZodType | undefined = unwrap(schema);
  let here = value;
  for (const key of path) {
    at = at && branch(at, here);
    const def = at?._zod.def;
    if (def?.type === "object") at = (at as z.core.$ZodObject)._zod.def.shape[String(key)];
    else if (def?.type === "array") at = (at as z.core.$ZodArray)._zod.def.element;
    else return undefined;
    at = at && unwrap(at);
    here = valueAt(here, [key]);
  }
  return choose && at !== undefined ? branch(at, here) : at;
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const { def } = schema._zod;
  return def.type === "optional" || def.type === "default" || def.type === "nullable"
    ? unwrap((schema as z.core.$ZodOptional | z.core.$ZodDefault | z.core.$ZodNullable)._zod.def.innerType)
    : schema;
}

/** The branch of a discriminated union that a value chose. */
function branch(schema: z.core.$ZodType, value: unknown): z.core.$ZodType | undefined {
  if (schema._zod.def.type !== "union") return schema;
  const { options, discriminator } = (schema as z.core.$ZodDiscriminatedUnion)._zod.def;
  const chosen = valueAt(value, [discriminator]) as string;
  return options.find((option) => option._zod.propValues?.[discriminator]?.has(chosen));
}
