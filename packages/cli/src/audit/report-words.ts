import type {
  Access,
  ApprovalTrail,
  ExceptionReport,
  HaltRecord,
  PermissionChange,
  Population,
  SweepReport,
  TokenReport,
} from "@remit/contract";
import { safeJson, safeLine } from "../terminal/safe-text.ts";
import { table } from "../terminal/table.ts";

export function accessWords(items: readonly Access[], columns: number): string[] {
  const lines = table(
    items,
    [
      { title: "SEQ", value: ({ seq }) => String(seq), align: "right" },
      { title: "TIME", value: ({ at }) => at },
      { title: "AGENT", value: ({ agent }) => agent ?? "" },
      { title: "TOOL", value: ({ tool }) => tool ?? "" },
      { title: "POLICY", value: ({ policy, policies }) => [policy ?? "", ...policies].join(" ") },
      { title: "OUTCOME", value: ({ outcome, verdict }) => outcome ?? verdict },
      { title: "ACTION", value: ({ actionId }) => actionId },
      { title: "WHERE", value: whereWords, cut: true },
    ],
    columns,
  );
  // The heading is the first line; what followed stands under its action.
  return lines.flatMap((line, index) => [
    line,
    ...(items[index - 1]?.followed ?? []).map(({ seq, tool, actionId }) => safeLine(`      then ${seq}  ${tool ?? "?"}  ${actionId}`)),
  ]);
}

function whereWords({ found, arguments: sent }: Access): string {
  if (found.length > 0) return found.join(" ");
  return sent?.state === "open" ? safeJson(sent.value) : (sent?.state ?? "");
}

export function approvalTrailWords(items: readonly ApprovalTrail[], columns: number): string[] {
  return table(
    items,
    [
      { title: "ASKED", value: ({ requestedAt }) => requestedAt ?? "" },
      { title: "APPROVAL", value: ({ id }) => id },
      { title: "STATE", value: ({ state }) => state },
      { title: "WAITED", value: ({ waitedSeconds }) => (waitedSeconds === null ? "" : `${Math.round(waitedSeconds)} s`), align: "right" },
      { title: "AGENT", value: ({ agent }) => agent ?? "" },
      { title: "TOOL", value: ({ tool }) => tool ?? "" },
      { title: "VOTES", value: ({ votes }) => votes.map(({ by, vote }) => `${by.replace(/^party:/, "")}: ${vote}`).join(", ") },
      { title: "WHY", value: ({ reason }) => reason ?? "", cut: true },
    ],
    columns,
  );
}

export function exceptionWords({ population, counts, items, truncated }: ExceptionReport, columns: number): string[] {
  const counted = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`);
  return [
    populationWords(population),
    counted.length === 0 ? "Nothing was out of the ordinary." : `${counted.join(", ")}.`,
    ...(items.length === 0
      ? []
      : [
          "",
          ...table(
            items,
            [
              { title: "SEQ", value: ({ seq }) => String(seq), align: "right" },
              { title: "TIME", value: ({ at }) => at },
              { title: "KIND", value: ({ kind }) => kind },
              { title: "ACTOR", value: ({ actor }) => actor },
              { title: "WHAT", value: ({ what }) => what },
            ],
            columns,
          ),
        ]),
    ...(truncated ? ["", "Of some kinds only the newest are shown; ask for a shorter range to see all."] : []),
  ];
}

export function permissionWords(items: readonly PermissionChange[]): string[] {
  return items.flatMap(({ revision, at, by, changes }) => [
    safeLine(`revision ${revision}  ${at}  ${by}`),
    ...(changes.length === 0
      ? ["  no permission changed"]
      : changes.map(({ effect, summary }) => safeLine(`  ${effect.padEnd(7)}  ${summary}`))),
  ]);
}

export function haltRecordWords(items: readonly HaltRecord[], columns: number): string[] {
  return table(
    items,
    [
      { title: "ENGAGED", value: ({ engagedAt }) => engagedAt },
      { title: "BY", value: ({ engagedBy }) => engagedBy },
      { title: "WHAT", value: ({ mode, scope }) => `${mode} of ${scope}` },
      { title: "LASTED", value: ({ lastedSeconds }) => (lastedSeconds === null ? "in force" : seconds(lastedSeconds)), align: "right" },
      {
        title: "RELEASED BY",
        value: ({ releaseRequestedBy, releasedBy }) => [releaseRequestedBy, releasedBy].filter(Boolean).join(" and "),
      },
      { title: "STOPPED", value: ({ stopped }) => String(stopped), align: "right" },
      { title: "DENIED", value: ({ denied }) => String(denied), align: "right" },
      { title: "BEGAN", value: ({ began }) => String(began), align: "right" },
      { title: "WHY", value: ({ reason }) => reason, cut: true },
    ],
    columns,
  );
}

export function sweepWords({ assets, checks, findings, ok }: SweepReport, columns: number): string[] {
  const looked = Object.entries(assets)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${count} ${kind}`);
  return [
    `${checks} checks of ${looked.join(", ")}.`,
    findings.length === 0
      ? "Nothing to remark."
      : `${findings.length} remarks; ${ok ? "none of them is urgent." : "some should not wait."}`,
    ...(findings.length === 0
      ? []
      : [
          "",
          ...table(
            findings,
            [
              { title: "LEVEL", value: ({ level }) => level },
              { title: "CHECK", value: ({ check }) => check },
              { title: "ASSET", value: ({ kind, name }) => `${kind} ${name}` },
              { title: "WHAT", value: ({ what }) => what },
              { title: "TO DO", value: ({ todo }) => todo },
            ],
            columns,
          ),
        ]),
  ];
}

export function tokenWords({ population, tokens, secrets, stored, leases }: TokenReport, columns: number): string[] {
  const refused = Object.entries(tokens.refused).map(([code, count]) => `${count} ${code}`);
  return [
    populationWords(population),
    `${tokens.issued} tokens were handed out; the longest is good for ${seconds(tokens.longestSeconds)}, ${tokens.limitSeconds} s is the limit.`,
    refused.length === 0 ? "No token was refused." : `Tokens that were refused: ${refused.join(", ")}.`,
    `${leases.issued} credentials were leased, the longest for ${seconds(leases.longestSeconds)}; ${leases.revoked} were revoked.`,
    "",
    ...(secrets.length === 0
      ? ["No agent was given a secret in this range."]
      : table(
          secrets,
          [
            { title: "AGENT", value: ({ agent }) => agent },
            { title: "SECRET", value: ({ secret }) => secret },
            { title: "ISSUED", value: ({ issuedAt }) => issuedAt },
            { title: "ENDS", value: ({ expiresAt }) => expiresAt ?? "" },
            { title: "RETIRED", value: ({ retiredAt }) => retiredAt ?? "" },
          ],
          columns,
        )),
    ...(stored.length === 0
      ? []
      : [
          "",
          ...table(
            stored,
            [
              { title: "TIME", value: ({ at }) => at },
              { title: "STORED SECRET", value: ({ path }) => path },
              { title: "EVENT", value: ({ event }) => event },
              { title: "VERSION", value: ({ version }) => (version === null ? "" : String(version)), align: "right" },
              { title: "BY", value: ({ by }) => by },
            ],
            columns,
          ),
        ]),
  ];
}

function populationWords({ first, last, count, since, until }: Population): string {
  const range = `${since === null ? "from the beginning" : `from ${since}`} ${until === null ? "to now" : `until ${until}`}`;
  return count === 0 ? `No entries ${range}.` : `${count} entries ${range}: ${first} to ${last}.`;
}

function seconds(value: number | null): string {
  return value === null ? "none" : `${Math.round(value)} s`;
}
