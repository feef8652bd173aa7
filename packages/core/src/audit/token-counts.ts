import type { RecordedEvent, TokenReport } from "@remit/contract";
import { longestTokenSeconds } from "./exceptions.ts";

/** The types of entries that a report about tokens is made of. */
export const tokenEntryTypes = [
  "token-issued",
  "token-refused",
  "secret-issued",
  "secret-retired",
  "secret-stored",
  "secret-rotated",
  "secret-removed",
  "credential-leased",
  "credential-revoked",
] as const;

/** Counts entries one by one, in the order of the ledger, and never holds more than there are agents, secrets and codes. */
export function countTokens() {
  let issued = 0;
  let longest: number | null = null;
  let longestLease: number | null = null;
  const leases = { issued: 0, revoked: 0 };
  const refused = new Map<string, number>();
  const agents = new Map<string, { issued: number; longestSeconds: number }>();
  const secrets = new Map<string, TokenReport["secrets"][number]>();
  const stored: TokenReport["stored"] = [];

  function secondsOf({ time, data }: RecordedEvent["event"]): number | null {
    const ends = typeof data["expiresAt"] === "string" ? Date.parse(data["expiresAt"]) : Number.NaN;
    return Number.isNaN(ends) ? null : (ends - Date.parse(time)) / 1_000;
  }

  return {
    count({ event }: RecordedEvent): void {
      const { data, time, actor } = event;
      const text = (name: string): string => (typeof data[name] === "string" ? data[name] : "?");
      switch (event.type.replace(/^remit\./, "")) {
        case "token-issued": {
          const seconds = secondsOf(event) ?? 0;
          issued += 1;
          longest = Math.max(longest ?? 0, seconds);
          const agent = actor.replace(/^agent:/, "");
          const before = agents.get(agent);
          agents.set(agent, { issued: (before?.issued ?? 0) + 1, longestSeconds: Math.max(before?.longestSeconds ?? 0, seconds) });
          break;
        }
        case "token-refused":
          refused.set(text("code"), (refused.get(text("code")) ?? 0) + 1);
          break;
        case "secret-issued":
          secrets.set(text("secret"), {
            agent: text("agent"),
            secret: text("secret"),
            issuedAt: time,
            expiresAt: typeof data["expiresAt"] === "string" ? data["expiresAt"] : null,
            retiredAt: null,
          });
          break;
        case "secret-retired": {
          const known = secrets.get(text("secret"));
          if (known !== undefined) secrets.set(text("secret"), { ...known, retiredAt: time });
          break;
        }
        case "secret-stored":
        case "secret-rotated":
        case "secret-removed":
          stored.push({
            path: text("path"),
            version: typeof data["version"] === "number" ? data["version"] : null,
            event: event.type.slice("remit.secret-".length),
            at: time,
            by: actor,
          });
          break;
        case "credential-leased":
          leases.issued += 1;
          longestLease = Math.max(longestLease ?? 0, secondsOf(event) ?? 0);
          break;
        case "credential-revoked":
          leases.revoked += 1;
          break;
      }
    },
    report: (): Omit<TokenReport, "population"> => ({
      tokens: {
        issued,
        refused: Object.fromEntries([...refused].sort(([left], [right]) => (left < right ? -1 : 1))),
        byAgent: [...agents].map(([agent, counted]) => ({ agent, ...counted })).sort((left, right) => right.issued - left.issued),
        limitSeconds: longestTokenSeconds,
        longestSeconds: longest,
      },
      secrets: [...secrets.values()],
      stored,
      leases: { ...leases, longestSeconds: longestLease },
    }),
  };
}
