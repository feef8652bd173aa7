/** This server among those that share the database. */
export type ServerInstance = {
  id: string;
  /** How people find it. */
  name: string;
  /** Says which control state it has applied. */
  applied(epoch: number): Promise<void>;
  /** Says that it takes no more work. */
  drain(): Promise<void>;
  stop(): Promise<void>;
};
