import type { ApiInspection } from "@remit/server";
import type { Draft } from "../registry/draft-documents.ts";

export type ApiDraftOptions = { name: string; owner: string; document: string; baseUrl: string | undefined };

type Operation = ApiInspection["operations"][number];
type Scheme = Operation["security"][number]["schemes"][number];

/** The documents that register an API: the upstream, what it is shown, and a tool for each operation. */
export function apiDrafts(api: ApiInspection, options: ApiDraftOptions): { upstream: Draft; credential: Draft | null; tools: Draft[] } {
  const { name, owner, document, baseUrl } = options;
  const credential = credentialDraft(api.operations, name, owner);
  const upstream: Draft = {
    comment: api.title,
    spec: {
      kind: "upstream",
      name,
      owner,
      transport: { type: "openapi", document, ...(baseUrl === undefined ? {} : { baseUrl }) },
      ...(credential === null ? {} : { credential: credential.spec.name }),
    },
  };
  return { upstream, credential, tools: api.operations.map((operation) => toolDraft(operation, name, owner)) };
}

function toolDraft({ tool, method, path, description }: Operation, upstream: string, owner: string): Draft {
  const isRead = method === "GET" || method === "HEAD";
  const comment = `${method} ${path}: ${description.split("\n", 1)[0] ?? ""}`;
  const head = { kind: "tool" as const, upstream, name: tool };
  // HTTP says that these change nothing, and that they may be repeated (RFC 9110, 9.2.1 and 9.2.2).
  if (isRead)
    return {
      comment,
      spec: { ...head, effect: "read", reversibility: "reversible", sensitivity: "confidential", owner, idempotent: true },
    };
  return {
    comment,
    spec: { ...head, effect: "write", reversibility: "none", sensitivity: "confidential", owner, unconfirmed: true },
  };
}

/** What the API wants to be shown, where it is one thing that Remit knows how to show. */
function credentialDraft(operations: readonly Operation[], name: string, owner: string): Draft | null {
  for (const { schemes } of operations.flatMap(({ security }) => security)) {
    const [scheme, second] = schemes;
    const use = scheme === undefined || second !== undefined ? null : useOf(scheme);
    if (use === null) continue;
    const from = { type: "secret", secret: `${name}/token` };
    return {
      comment: `Put the secret there with: remit secret set ${name}/token`,
      spec: { kind: "credential", name: `${name}-token`, owner, from, use },
    };
  }
  return null;
}

function useOf(scheme: Scheme): Record<string, unknown> | null {
  switch (scheme.type) {
    case "bearer":
      return { type: "bearer" };
    case "basic":
      return { type: "basic" };
    case "api-key":
      return scheme.in === "cookie" ? null : { type: scheme.in, name: scheme.parameter };
    case "other":
      return null;
  }
}
