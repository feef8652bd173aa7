import { childrenOf, contextPath } from "./cedar-expression.ts";
import type { Expression } from "./cedar-expression.ts";

/**
 * Which parts of `context` an expression reads, as a tree of member names. `value`: the value itself, not only its members.
 * Nothing else of the context can change what the expression evaluates to, so nothing else need be given to Cedar.
 */
export type Reads = { value: boolean; members: Map<string, Reads> };

export function noReads(): Reads {
  return { value: false, members: new Map() };
}

export function addReads(into: Reads, node: Expression): void {
  if (node.op === "has") {
    const path = contextPath(node.of);
    if (path !== null) {
      reach(into, [...path, ...node.names]);
      return;
    }
  }
  const path = contextPath(node);
  if (path !== null) {
    reach(into, path).value = true;
    return;
  }
  for (const child of childrenOf(node)) addReads(into, child);
}

export function mergeReads(into: Reads, from: Reads): void {
  into.value ||= from.value;
  for (const [name, child] of from.members) mergeReads(reach(into, [name]), child);
}

/** Every path whose value is read, or whose presence is asked for. */
export function pathsOf(reads: Reads, path: readonly string[] = []): { path: readonly string[]; value: boolean }[] {
  return [
    ...(path.length > 0 ? [{ path, value: reads.value }] : []),
    ...[...reads.members].flatMap(([name, child]) => pathsOf(child, [...path, name])),
  ];
}

/** `context.input["weird-key!"]`, as a policy would write it. */
export function pathWords(path: readonly string[]): string {
  return path.reduce((words, name) => words + (/^[A-Za-z_]\w*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`), "context");
}

function reach(from: Reads, path: readonly string[]): Reads {
  let here = from;
  for (const name of path) {
    const next = here.members.get(name) ?? noReads();
    here.members.set(name, next);
    here = next;
  }
  return here;
}
