import { pointerStep, RemitError } from "@remit/contract";
import type { App } from "./http-app.ts";

/**
 * Lets the routes of one scope take HTML forms: `app.register(async (scope) => { acceptForms(scope); scope.post(…) })`.
 * The JSON API does not, so that no plain form of another site can reach it.
 */
export function acceptForms(scope: App): void {
  scope.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string", bodyLimit: 64 * 1024 }, (_request, body, done) => {
    const fields = new Map<string, string>();
    for (const [name, value] of new URLSearchParams(String(body))) {
      if (fields.has(name)) {
        const issues = [{ message: "the same field appears twice", pointer: pointerStep(name) }];
        done(new RemitError("invalid-request", "The form has the same field twice", { issues }), undefined);
        return;
      }
      fields.set(name, value);
    }
    done(null, Object.fromEntries(fields));
  });
}
