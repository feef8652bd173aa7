import type { z } from "zod";
import type { Issue } from "./error.ts";

type ZodIssue = z.core.$ZodIssue;

/** The issues of a failed parse, each with the JSON pointer (RFC 6901) of what is wrong, starting at `root`. */
export function issuesOf(error: z.core.$ZodError, root = ""): Issue[] {
  return error.issues.flatMap((issue) => flatten(issue, root));
}

/** One step of a JSON pointer: `~` and `/` escaped as RFC 6901 says. */
export function pointerStep(key: PropertyKey): string {
  return `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

function flatten(issue: ZodIssue, root: string): Issue[] {
  const pointer = root + issue.path.map(pointerStep).join("");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      message: `unknown member "${key}"; remove it or correct its name`,
      pointer: pointer + pointerStep(key),
    }));
  }
  if (issue.code === "invalid_union") {
    // The branch with the fewest complaints is the one that was meant.
    const [nearest] = issue.errors.filter((branch) => branch.length > 0).sort((left, right) => left.length - right.length);
    if (nearest !== undefined) return nearest.flatMap((inner) => flatten(inner, pointer));
  }
  return [{ message: issue.message, pointer }];
}
