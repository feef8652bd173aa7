import { expect, test } from "vitest";
import { describeCall } from "./describe-call.ts";

test("[RUN-25] a line that names more than is told is not taken for understood: what is cut off might be what policy forbids", () => {
  const names = Array.from({ length: 200 }, (_, index) => `p${index}`);
  const shell = (command: string) =>
    describeCall({ type: "shell", command, session: "s", cwd: "/work", workspace: "/work" }, "claude-code", []);
  expect(shell(names.join(";"))?.arguments).toMatchObject({ understood: true, unclear: [] });
  expect(shell([...names, "git push"].join(";"))?.arguments).toMatchObject({
    understood: false,
    unclear: ["it names more than is told here"],
  });
  const hosts = names.map((name) => `https://${name}.example`).join(" ");
  expect(shell(`curl ${hosts} https://evil.example`)?.unclear).toEqual(["it names more than is told here"]);
});

test("[RUN-25] a line that goes to more places than can be looked at is taken to touch what is protected", () => {
  for (const command of ["cd a;".repeat(9_000), `cat ${Array.from({ length: 600 }, (_, index) => `f${index}`).join(" ")} .env`])
    expect(describeCall({ type: "shell", command, session: "s", cwd: "/work", workspace: "/work" }, "codex", [])?.arguments).toMatchObject({
      understood: false,
      touchesProtected: true,
      outsideWorkspace: true,
    });
});
