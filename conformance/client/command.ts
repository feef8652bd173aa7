/**
 * The command that the referee starts for every scenario, with the address of its server as the last argument. It only tells the
 * harness, which has Remit connect there and an agent call what the scenario is about; it ends when that is done.
 */
const harness = process.env["REMIT_CONFORMANCE_HARNESS"];
const serverUrl = process.argv.at(-1);
if (harness === undefined || serverUrl === undefined) throw new Error("The referee starts this, with a server's address");
const response = await fetch(harness, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({
    scenario: process.env["MCP_CONFORMANCE_SCENARIO"],
    revision: process.env["MCP_CONFORMANCE_PROTOCOL_VERSION"],
    context: JSON.parse(process.env["MCP_CONFORMANCE_CONTEXT"] ?? "{}") as unknown,
    serverUrl,
  }),
});
process.stdout.write(await response.text());
process.exitCode = response.ok ? 0 : 1;
