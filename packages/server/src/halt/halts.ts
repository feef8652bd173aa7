import type { Halt } from "@remit/core";

/** The halts in force, as this server last confirmed them. */
export type Halts = { current(): readonly Halt[] };
