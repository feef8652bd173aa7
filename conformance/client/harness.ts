import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { OAuth } from "../through/registry.ts";
import { governedOperations } from "../through/registry.ts";
import type { Remit } from "../through/remit.ts";
import { work } from "./agent.ts";
import type { Assignment } from "./assignment.ts";
import { assignmentSchema, workOf } from "./assignment.ts";
import { connect, wantsConsent } from "./connect.ts";
import { createRegistrar } from "./registrar.ts";
import { createTurns } from "./turns.ts";

/** The referee starts all its scenarios at once; more than so many at a time would only disturb what is measured in milliseconds. */
const atOnce = 2;

/** A busy machine takes its time to pin what an upstream offers, and to confirm its control state. */
const passesWithinMs = 90_000;
const passes = /\(tool-changed\)|control.state.*confirmed|control-state-stale|token-revoked|HTTP 401/s;

/** An upstream that has said no so many times in a row goes on saying it. */
const maxRefusals = 12;

/** A person gives up after so many pages. */
const maxConnects = 3;

/** The metadata document that the referee's authorization servers take for read. */
const knownClientMetadata = "https://conformance-test.local/client-metadata.json";

export type Harness = {
  url: string;
  /** What went wrong on the agent's side, which the referee does not say. */
  problems: ReadonlyMap<string, string>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Where the command that the referee starts says what there is to do: every scenario's server becomes an upstream with an agent of its own. */
export async function openHarness(remit: Remit): Promise<Harness> {
  const registrar = createRegistrar(remit);
  const inTurn = createTurns(atOnce);
  const problems = new Map<string, string>();
  let count = 0;

  async function fulfil(assignment: Assignment): Promise<void> {
    const todo = workOf(assignment);
    count += 1;
    const name = `r${assignment.revision.replaceAll("-", "")}n${count}`;
    const tools = [...todo.calls.map((call) => call.name), ...governedOperations];
    const url = new URL(`${remit.url}/mcp/${name}`);
    const doIt = () => work(url, () => remit.newToken(name), assignment.revision, todo);
    try {
      const oauth = assignment.scenario.startsWith("auth/") ? await oauthOf(assignment, name) : null;
      await registrar.add({ name, url: assignment.serverUrl, tools, ...(oauth !== null && { oauth }) });
      if (oauth === null) await patiently(doIt, name);
      else await letInAnd(doIt, name);
    } finally {
      // Before the referee is told: it waits for every connection to its server to end.
      await registrar.remove(name);
    }
  }

  /** What a client is told of itself beforehand. */
  async function oauthOf({ scenario, context }: Assignment, name: string): Promise<OAuth> {
    if (scenario === "auth/basic-cimd") return { client: { id: knownClientMetadata } };
    const { client_id: id, client_secret: value } = context;
    if (id === undefined) return {};
    if (value === undefined) return { client: { id } };
    const path = `${name}/client`;
    await remit.post("/v1/secrets", { path, value });
    return { client: { id, secret: path } };
  }

  /** Somebody lets Remit in, and again where Remit says that this is not enough; then the agent works. */
  async function letInAnd(doIt: () => Promise<void>, upstream: string): Promise<void> {
    for (let connects = 1; ; connects += 1) {
      await connect(remit, upstream);
      try {
        await oncePinned(doIt, upstream);
        return;
      } catch (error) {
        if (connects === maxConnects || !(String(error).includes("(credential-") || (await wantsConsent(remit, upstream)))) throw error;
      }
    }
  }

  /** What the upstream offers is known only some moments after it has let Remit in. */
  async function oncePinned(doIt: () => Promise<void>, upstream: string): Promise<void> {
    await registrar.refresh();
    await patiently(doIt, upstream, () => wantsConsent(remit, upstream));
  }

  /** Does again, a moment later, what Remit refused for a reason that passes: as its refusals say to. */
  async function patiently(
    doIt: () => Promise<void>,
    upstream: string,
    isHopeless: () => Promise<boolean> = async () => false,
  ): Promise<void> {
    const deadline = Date.now() + passesWithinMs;
    let refusals = 0;
    for (;;) {
      try {
        await inTurn(doIt);
        return;
      } catch (error) {
        if (Date.now() > deadline || refusals === maxRefusals || !passes.test(String(error)) || (await isHopeless())) throw error;
      }
      await delay(250);
      const warnings = await registrar.refresh().catch((): string[] => []);
      refusals = warnings.some((warning) => warning.startsWith(`upstream "${upstream}" answered with`)) ? refusals + 1 : 0;
    }
  }

  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.once("end", () => {
      const assignment = assignmentSchema.parse(JSON.parse(body));
      fulfil(assignment).then(
        () => response.end("done\n"),
        (error: unknown) => {
          problems.set(assignment.scenario, String(error));
          response.writeHead(500).end(`${String(error)}\n`);
        },
      );
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    problems,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
