import type { ClientResult } from "./client-leg.ts";
import type { Lost } from "./compare.ts";
import type { ServerResult } from "./server-leg.ts";

export function serverLine({ revision, upstream, required, direct, through, failedDirectly, lost }: ServerResult): string {
  const bridged = revision === upstream ? "" : `, upstream of ${upstream}`;
  const line = `${revision} server${bridged}: direct ${direct}/${required}, through ${through}/${direct}\n`;
  return line + failedDirectly.map((scenario) => `  – ${scenario}: fails without us\n`).join("") + lostLines(lost);
}

function lostLines(lost: readonly Lost[]): string {
  return lost
    .flatMap(({ scenario, checks }) => [
      `  ✗ ${scenario}\n`,
      ...checks.map(({ id, status, description, errorMessage }) => `      ${id} (${status}): ${errorMessage ?? description}\n`),
    ])
    .join("");
}

/** Everything that went through the forwarder, for whoever looks for the reason. */
export function exchangesText({ exchanges }: ServerResult): string {
  return exchanges
    .map(
      ({ method, url, headers, body, status, answer }) =>
        `  ${method} ${url} ${JSON.stringify(headers)}\n  > ${body}\n  < ${status} ${answer}\n\n`,
    )
    .join("");
}

export function clientLine({ revision, required, passed, failed, warned }: ClientResult): string {
  return `${revision} client: ${passed}/${required}\n${lostLines(failed)}${warned.length === 0 ? "" : lostLines(warned).replaceAll("✗", "!")}`;
}
