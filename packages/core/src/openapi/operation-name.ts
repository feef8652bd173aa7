/** Names of tools longer than this do not fit what models take, with the upstream's name before them. */
const maxNameLength = 60;

/** A tool's name from what the document calls the operation, or from how it is called. */
export function operationNames(operations: readonly { id: string | null; method: string; path: string }[]): string[] {
  const byId = operations.map(({ id, method, path }) => (id === null ? nameOfCall(method, path) : plainName(id)));
  // Two alike after being made plain: how they are called tells them apart, whatever their order in the document.
  return byId.map((name, index) => {
    const operation = operations[index];
    const alone = operation === undefined || byId.filter((other) => other.toLowerCase() === name.toLowerCase()).length === 1;
    return alone ? name : nameOfCall(operation.method, operation.path);
  });
}

function nameOfCall(method: string, path: string): string {
  const parts = path.split("/").filter((part) => part !== "");
  return plainName([method.toLowerCase(), ...parts.map((part) => part.replaceAll(/\{([^}]*)\}/g, "by_$1"))].join("_"));
}

function plainName(text: string): string {
  const plain = text
    .replaceAll(/[^A-Za-z0-9_.-]+/g, "_")
    .replaceAll(/_{2,}/g, "_")
    .replaceAll(/^[_.-]+|[_.-]+$/g, "")
    // Reserved for operations of the protocol that are no tools.
    .replace(/^mcp\./i, "mcp_");
  return plain.length <= maxNameLength ? plain : shortened(plain);
}

/** Keeps both ends: what operations are called differs at either. */
function shortened(name: string): string {
  const tail = 24;
  return `${name.slice(0, maxNameLength - tail - 1)}-${name.slice(-tail)}`;
}
