import { globSync, readFileSync } from "node:fs";

export interface Citation {
  id: string;
  /** From the top of the repository, with forward slashes. */
  file: string;
  /** The title that cites it, without its tags. */
  title: string;
}

export const repository = new URL("../", import.meta.url);

const titled = /(["'`])((?:\\.|(?!\1).)*?\[[A-Z]{3}-\d+\](?:\\.|(?!\1).)*)\1/g;
const tag = /\[([A-Z]{3}-\d+)\]/g;

/** Every tag in a title of a test that runs. What is skipped or to do proves nothing and cites nothing. */
export function citationsOf(file: string, text: string): Citation[] {
  return text
    .split("\n")
    .filter((line) => !/^\s*(\/\/|\*|(test|describe|it)\.(skip|todo|fails)\b)/.test(line))
    .flatMap((line) => [...line.matchAll(titled)])
    .flatMap(([, , quoted = ""]) => {
      const title = quoted.replaceAll(tag, "").replaceAll(/\s+/g, " ").trim();
      return [...quoted.matchAll(tag)].map(([, id = ""]) => ({ id, file, title }));
    });
}

export function allCitations(): Citation[] {
  return globSync("{packages,examples,bench,test,requirements}/**/*.test.ts", {
    cwd: repository,
    exclude: (name) => name === "node_modules" || name === "dist",
  })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => file !== "requirements/coverage.test.ts")
    .sort()
    .flatMap((file) => citationsOf(file, readFileSync(new URL(file, repository), "utf8")));
}
