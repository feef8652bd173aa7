/* Starts a stubborn program as its argument (bubblewrap, namespaces, nothing) says, tells that it runs, and waits to be killed. */
import { machinesHere, startContained } from "./sandbox.testing.ts";
import { uncontained } from "./machine.ts";

const by = process.argv[2];
const mark = process.argv[3] ?? "";
const machine = (await machinesHere()).find((one) => one.by === by) ?? uncontained("a test");
const stubborn = `process.on("SIGTERM", () => {}); process.stdin.on("end", () => {}); setInterval(() => {}, 1000);`;
const started = await startContained(machine, {
  command: process.execPath,
  args: [
    "--eval",
    `require("node:child_process").spawn(process.execPath, ["--eval", ${JSON.stringify(stubborn)}], { stdio: "ignore", detached: ${by !== "nothing"} });
     ${stubborn} console.log("up")`,
  ],
  env: { PATH: process.env["PATH"] ?? "", MARK: mark },
});
await started.line();
console.log("up");
