import type { Json } from "@remit/contract";
import { redactText, redactValue } from "@remit/core";
import { pino } from "pino";
import type { DestinationStream, Logger } from "pino";

export type { Logger } from "pino";

const secretMembers = [
  "authorization",
  "cookie",
  "token",
  "secret",
  "clientSecret",
  "client_secret",
  "password",
  "link",
  "key",
  "privateKey",
];

/**
 * JSON lines to stderr; stdout belongs to results. Every value is JSON-escaped, so a newline in it cannot forge a line.
 * Members that usually hold secrets are masked at the top and one and two levels down; that is a net, not a licence to log them.
 */
export function createLogger(options: { level?: string; destination?: DestinationStream; redact?: (line: string) => string } = {}): Logger {
  return pino(
    {
      level: options.level ?? "info",
      base: null,
      // Whatever was logged, by whatever way it came there: what is known to be secret leaves it here, and what looks like it.
      hooks: { streamWrite: (line) => redactLine(options.redact?.(line) ?? line) },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: [...secretMembers, 'headers["set-cookie"]'].flatMap((name) =>
          name.includes("[") ? [name, `*.${name}`] : [name, `*.${name}`, `*.*.${name}`],
        ),
        censor: "[redacted]",
      },
    },
    options.destination ?? pino.destination({ dest: 2, sync: false }),
  );
}

/** As a value where something is found, so that what replaces a number is not taken for the end of the line. */
function redactLine(line: string): string {
  if (redactText(line) === line) return line;
  try {
    return `${JSON.stringify(redactValue(JSON.parse(line) as Json, {}))}\n`;
  } catch {
    return redactText(line);
  }
}
