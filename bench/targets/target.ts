import type { CpuTime, Memory } from "../process-tree.ts";

/** Something that answers `tools/call echo`, running and shaken hands with. */
export type Target = {
  name: string;
  /** Of programs that are found at run time. */
  versions?: Record<string, string>;
  /** One call. Throws when the answer is not the text that was sent. */
  call(text: string): Promise<void>;
  cpuTime(): CpuTime;
  memory(): Memory;
  stop(): Promise<void>;
};
