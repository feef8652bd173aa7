/** Seconds of an ISO 8601 duration of days, hours, minutes and seconds; a day has 24 hours. The text has been checked by `durationSchema`. */
export function durationSeconds(duration: string): number {
  const parts = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(duration);
  const [days, hours, minutes, seconds] = [1, 2, 3, 4].map((index) => Number(parts?.[index] ?? 0));
  return (days ?? 0) * 86_400 + (hours ?? 0) * 3_600 + (minutes ?? 0) * 60 + (seconds ?? 0);
}
