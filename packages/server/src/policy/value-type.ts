import type { Json } from "@remit/contract";

/**
 * What policies can read of a value. Cedar has no floats and no null, its records are closed, and sets have no order; what does not
 * fit is left out of the type (`leftOut` says why) and so can neither be read by a policy nor make a call impossible.
 */
export type ValueType =
  | { kind: "string" | "integer" | "boolean"; values: readonly (string | number | boolean)[] | null }
  | { kind: "set"; element: "string" | "integer" | "boolean" }
  | { kind: "teams" }
  | RecordType;
export type RecordType = { kind: "record"; members: ReadonlyMap<string, Member> };
/** `nullable`: null is accepted and is as good as absent. */
export type Member = { type: ValueType; required: boolean; nullable: boolean };

/** A member of a tool's input that policies cannot read, and why. */
export type LeftOut = { path: readonly string[]; why: string };

const maxDepth = 6;
const maxMembers = 256;

/** The type of a tool's input from its pinned JSON Schema. */
export function inputType(schema: Json): { type: RecordType; leftOut: LeftOut[] } {
  const leftOut: LeftOut[] = [];
  const found = read(schema, { root: schema, path: [], leftOut, refs: 0 });
  if (found !== null && found.type.kind === "record") return { type: found.type, leftOut };
  return { type: { kind: "record", members: new Map() }, leftOut };
}

type Reading = { root: Json; path: readonly string[]; leftOut: LeftOut[]; refs: number };
type Found = { type: ValueType; nullable: boolean };

function read(schema: Json | undefined, at: Reading): Found | null {
  const leave = (why: string): null => {
    at.leftOut.push({ path: at.path, why });
    return null;
  };
  if (!isObject(schema)) return leave("its schema says nothing of its type");
  if (typeof schema["$ref"] === "string") {
    const target = at.refs < 16 ? resolve(at.root, schema["$ref"]) : undefined;
    if (target === undefined) return leave(`its schema refers to ${schema["$ref"]}, which is recursive or not local`);
    return read(target, { ...at, refs: at.refs + 1 });
  }
  const alternatives = schema["anyOf"] ?? schema["oneOf"];
  if (Array.isArray(alternatives)) return readAlternatives(alternatives, at, leave);
  if ("allOf" in schema || "not" in schema || "if" in schema) return leave("its schema combines others");

  const listed = "const" in schema ? [schema["const"] ?? null] : Array.isArray(schema["enum"]) ? schema["enum"] : null;
  if (listed !== null) return readListed(listed) ?? leave("its listed values are not all text, all integers or all booleans");

  const types = (Array.isArray(schema["type"]) ? schema["type"] : [schema["type"]]).filter((type) => type !== undefined);
  const nullable = types.includes("null");
  const rest = types.filter((type) => type !== "null");
  if (rest.length === 0 && isObject(schema["properties"])) rest.push("object");
  if (rest.length !== 1) return leave("its schema allows several types, or none");
  switch (rest[0]) {
    case "string":
    case "integer":
    case "boolean":
      return { type: { kind: rest[0], values: null }, nullable };
    case "number":
      // A schema may insist on whole numbers without the word `integer`.
      if (Number.isInteger(schema["multipleOf"])) return { type: { kind: "integer", values: null }, nullable };
      return leave('it is a "number", which may be a fraction; policies read integers only (money in minor units)');
    case "array": {
      const element = isObject(schema["items"]) ? read(schema["items"], { ...at, leftOut: [], path: [...at.path, "*"] }) : null;
      if (
        element === null ||
        element.nullable ||
        element.type.kind === "record" ||
        element.type.kind === "set" ||
        element.type.kind === "teams"
      )
        return leave("it is an array of something other than text, integers or booleans");
      return { type: { kind: "set", element: element.type.kind }, nullable };
    }
    case "object": {
      if (at.path.length >= maxDepth) return leave("it is nested too deep");
      return { type: readMembers(schema, at), nullable };
    }
    default:
      return leave(`its type is ${JSON.stringify(rest[0])}`);
  }
}

function readMembers(schema: { [key: string]: Json }, at: Reading): RecordType {
  const properties = isObject(schema["properties"]) ? schema["properties"] : {};
  const required = new Set(Array.isArray(schema["required"]) ? schema["required"] : []);
  const members = new Map<string, Member>();
  for (const [name, member] of Object.entries(properties)) {
    const path = [...at.path, name];
    // Cedar's JSON gives `__entity` and `__extn` a meaning of their own: an argument must never be able to carry it.
    if (name.startsWith("__")) at.leftOut.push({ path, why: "names that begin with __ are reserved" });
    else if (!name.isWellFormed()) at.leftOut.push({ path, why: "its name is not well-formed text" });
    else if (members.size >= maxMembers) at.leftOut.push({ path, why: `it comes after the first ${maxMembers} members` });
    else {
      const found = read(member, { ...at, path });
      if (found !== null) members.set(name, { ...found, required: required.has(name) && !found.nullable });
    }
  }
  return { kind: "record", members };
}

/** `X or null` is an X that may be absent; a list of constants is an enumeration. Other alternatives have no one type. */
function readAlternatives(alternatives: Json[], at: Reading, leave: (why: string) => null): Found | null {
  const real = alternatives.filter((one) => !(isObject(one) && (one["type"] === "null" || one["const"] === null)));
  const nullable = real.length < alternatives.length;
  if (real.length === 1) {
    const found = read(real[0], at);
    return found === null ? null : { type: found.type, nullable: found.nullable || nullable };
  }
  const constants = real.map((one) => (isObject(one) && "const" in one ? one["const"] : undefined));
  const listed = constants.every((value) => value !== undefined) ? readListed(constants) : null;
  return listed === null ? leave("its schema allows several types") : { type: listed.type, nullable: listed.nullable || nullable };
}

function readListed(listed: Json[]): Found | null {
  const values = listed.filter((value) => value !== null);
  const nullable = values.length < listed.length;
  if (values.length === 0) return null;
  if (values.every((value) => typeof value === "string")) return { type: { kind: "string", values }, nullable };
  if (values.every((value) => typeof value === "boolean")) return { type: { kind: "boolean", values }, nullable };
  if (values.every((value) => Number.isSafeInteger(value))) return { type: { kind: "integer", values: values as number[] }, nullable };
  return null;
}

function resolve(root: Json, reference: string): Json | undefined {
  if (reference !== "#" && !reference.startsWith("#/")) return undefined;
  let here: Json | undefined = root;
  for (const part of reference.split("/").slice(1)) {
    const name = decodePointer(part);
    here = isObject(here) && Object.hasOwn(here, name) ? here[name] : undefined;
  }
  return here;
}

function decodePointer(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
