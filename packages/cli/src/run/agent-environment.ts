import { delimiter } from "node:path";

/** Passed on when they are set: without these most programs do not run at all. */
const always = ["HOME", "LANG", "LC_ALL", "TERM", "TMPDIR", "TZ", "USER", "SHELL", "NO_COLOR", "VIRTUAL_ENV"];

/**
 * The keys and addresses of model providers. An agent needs its model, and the model is the one thing that it may reach
 * past Remit; everything else that this process knows (database addresses, cloud keys, sessions) stays here.
 */
const model = ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL"];

export type AgentVariables = {
  runId: string;
  mcpUrl: string;
  token: string;
  tokenFile: string;
  workItem: unknown;
  traceparent: string;
  serviceName: string;
  logLevel: string;
  environment: string;
};

/** The whole environment of an agent's program. `nodeFolder` comes first on its PATH: `node` there is the Node that runs this. */
export function agentEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  variables: AgentVariables,
  passOn: readonly string[],
  nodeFolder: string,
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of [...always, ...model, ...passOn]) {
    const value = own[name];
    if (value !== undefined) environment[name] = value;
  }
  return {
    ...environment,
    PATH: [nodeFolder, own["PATH"] ?? ""].filter((part) => part !== "").join(delimiter),
    AGENT_ENV: variables.environment,
    OTEL_SERVICE_NAME: variables.serviceName,
    REMIT_LOG_LEVEL: variables.logLevel,
    REMIT_MCP_URL: variables.mcpUrl,
    REMIT_RUN_ID: variables.runId,
    REMIT_TOKEN: variables.token,
    // The token lives five minutes at most; who runs longer reads this file before each connection.
    REMIT_TOKEN_FILE: variables.tokenFile,
    REMIT_WORK_ITEM: JSON.stringify(variables.workItem),
    TRACEPARENT: variables.traceparent,
  };
}
