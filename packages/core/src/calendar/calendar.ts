/** The calendar of an organisation at one moment. */
export type LocalTime = {
  /** `mon` … `sun`. */
  readonly weekday: string;
  /** 0–23. */
  readonly hour: number;
  readonly minute: number;
  /** `2026-11-21`. */
  readonly date: string;
};

const formats = new Map<string, Intl.DateTimeFormat>();

/** Of each time zone, the second that was asked for last: many actions share one, and formatting is costly. */
const latest = new Map<string, { second: number; time: LocalTime }>();

/** Whether the runtime knows this IANA time zone. */
export function isTimeZone(timeZone: string): boolean {
  try {
    formatFor(timeZone);
    return true;
  } catch {
    return false;
  }
}

/**
 * What clock and calendar show in a time zone. Policies read these, never the server's own zone.
 *
 * @throws RangeError when the time zone does not exist.
 */
export function localTime(now: Date, timeZone: string): LocalTime {
  const second = Math.floor(now.getTime() / 1_000);
  const known = latest.get(timeZone);
  if (known !== undefined && known.second === second) return known.time;
  const time = formatted(now, timeZone);
  latest.set(timeZone, { second, time });
  return time;
}

function formatted(now: Date, timeZone: string): LocalTime {
  const parts = new Map(
    formatFor(timeZone)
      .formatToParts(now)
      .map((part) => [part.type, part.value]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.get(type) ?? "";
  return {
    weekday: part("weekday").slice(0, 3).toLowerCase(),
    hour: Number(part("hour")),
    minute: Number(part("minute")),
    date: `${part("year")}-${part("month")}-${part("day")}`,
  };
}

function formatFor(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US-u-ca-iso8601-nu-latn", {
      timeZone,
      hourCycle: "h23",
      weekday: "short",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
    });
    formats.set(timeZone, format);
  }
  return format;
}
