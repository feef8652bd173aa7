import { errorTable, RemitError } from "@remit/contract";
import type { Command } from "commander";
import { example } from "../frame/command.ts";
import type { Run } from "../frame/command.ts";
import { safeJson, safeText } from "../terminal/safe-text.ts";
import { problemOf } from "./http-client.ts";

export function defineApi(command: Command, run: Run): void {
  command
    .argument("<method>", "GET, POST, DELETE")
    .argument("<path>", "for example /v1/runs")
    .option("--body <json>", "the request's body")
    .description("one request to the server, as the person of this context; prints the answer as it is")
    .action((method: string, path: string, options: { body?: string }) =>
      run(async (frame) => {
        if (!/^[A-Za-z]+$/.test(method)) throw new RemitError("invalid-request", `"${method}" is no method.`);
        // The session's token goes to this server only, so the target is a path of it and never an address.
        if (!/^\/(?!\/)/.test(path)) throw new RemitError("invalid-request", `"${path}" is no path: expected for example /v1/runs.`);
        const client = await frame.client();
        const answer = await client.raw(method.toUpperCase(), path, options.body);
        let value: unknown;
        try {
          value = JSON.parse(answer.text);
        } catch {
          value = undefined;
        }
        if (value === undefined) frame.terminal.line(safeText(answer.text));
        else frame.terminal.line(safeJson(value, frame.terminal.json ? undefined : 2));
        return answer.status < 400 ? 0 : errorTable[problemOf(answer.status, value).code].exit;
      }),
    );
  example(command, "remit api GET /v1/runs", `remit api POST /v1/policy/can --body '{"agent":"support-triage"}'`);
}
