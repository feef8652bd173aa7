/** Named moments at which a test can kill the server, to prove that nothing is lost or done twice. */
export const crashPoints = [
  "before-intent",
  "after-intent",
  "while-executing",
  "after-execution",
  "after-outcome",
  "after-waiting",
  "before-granted-intent",
  "after-granted-intent",
] as const;

export type CrashPoint = (typeof crashPoints)[number];

/** Dies here when this is the moment that was chosen. */
export type Crash = (point: CrashPoint) => void;

/** Kills this process the way a power cut would: no handler runs, nothing is flushed. */
export function crashAt(chosen: string | undefined): Crash {
  if (chosen === undefined || chosen === "") return () => undefined;
  if (!crashPoints.some((point) => point === chosen))
    throw new Error(`REMIT_CRASH_POINT names no crash point; there are ${crashPoints.join(", ")}`);
  return (point) => {
    if (point === chosen) process.kill(process.pid, "SIGKILL");
  };
}
