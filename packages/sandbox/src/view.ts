import type { HeldLimits } from "./limits.ts";

/** A file or folder of the machine, and where a contained program sees it. */
export type Shown = { source: string; target: string; access: "read" | "write" };

/** Everything that a contained program sees of the machine. What is not in it is not there. */
export type View = {
  /** Parents before what lies in them. */
  shown: readonly Shown[];
  /** Symbolic links that are made, as the machine has them: `/bin` is often one. */
  links: readonly { target: string; to: string }[];
  /** Covered although it lies in something that is shown: Remit's own data. */
  hidden: readonly { target: string; type: "folder" | "file" }[];
  /** Where it starts. */
  cwd: string;
};

/** What a launcher starts a program with: the view, its way to the network, and the program. */
export type ContainedProgram = {
  view: View;
  /** Empty folder that is this program's alone, on the machine; what is mounted is gathered in it. */
  stage: string;
  /** The machine's own network instead of none. */
  network: "none" | "open";
  /** Addresses that a network of its own has, besides the loopback's. */
  addresses: readonly string[];
  /** Says `ready` on its stdout once every place can be reached; started before the program. Null: there is nothing to reach. */
  bridge: readonly string[] | null;
  /** Set for the program alone: what would change how the launcher itself behaves. */
  variables: Readonly<Record<string, string>>;
  /** How much of the machine it may take. */
  limits: HeldLimits;
  command: readonly string[];
};
