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
      // Whatever was logged, by whatever way it came there: what is known to be secret leaves it here.
      ...(options.redact === undefined ? {} : { hooks: { streamWrite: options.redact } }),
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
