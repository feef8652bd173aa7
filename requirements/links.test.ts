import { existsSync, globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { repository } from "./citations.ts";

test("every link from one page of the project to another leads somewhere", () => {
  const pages = globSync("{*.md,docs/**/*.md,bench/*.md,examples/*/*.md,deploy/**/*.md}", { cwd: repository });
  expect(pages.length).toBeGreaterThan(20);
  const broken = pages.flatMap((page) => {
    const text = readFileSync(new URL(page, repository), "utf8").replaceAll(/```[\s\S]*?```/g, "");
    return [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)\s#]+)(?:#[^)\s]*)?\)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => !existsSync(new URL(target, new URL(page, repository))))
      .map((target) => `${page}: ${target}`);
  });
  expect(broken).toEqual([]);
});
