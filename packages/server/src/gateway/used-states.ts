/** States that have come back. A state is good once, on whichever server it comes back to. */
export type UsedStates = {
  /** False: it has been used already. It is remembered until it would be refused as expired anyway. */
  use(id: string, expiresAt: Date): Promise<boolean>;
  isUsed(id: string): Promise<boolean>;
};
