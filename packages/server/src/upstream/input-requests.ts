import type { Json, JsonObject } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { ServerRequest } from "./connection.ts";
import { isObject } from "./connection.ts";

/** What a client can be asked for. */
export const askable: ReadonlySet<string> = new Set(["elicitation/create", "sampling/createMessage", "roots/list"]);
const maxQuestions = 32;

/** What an upstream asks for, by the names that it gave. @throws RemitError `upstream-error` */
export function inputRequestsOf(upstream: string, said: Json | undefined): Record<string, ServerRequest> {
  const refused = (what: string) => new RemitError("upstream-error", `upstream "${upstream}" ${what}`);
  if (said === undefined) return {};
  if (!isObject(said)) throw refused("asks for input in a way that cannot be read");
  const questions = Object.entries(said);
  if (questions.length > maxQuestions) throw refused(`asks more than ${maxQuestions} things at once`);
  return Object.fromEntries(
    questions.map(([key, question]) => {
      const { method, params } = isObject(question) ? question : ({} as JsonObject);
      if (typeof method !== "string" || !askable.has(method)) throw refused("asks for something that no client can be asked for");
      return [key, { method, params: isObject(params) ? params : {} }];
    }),
  );
}
