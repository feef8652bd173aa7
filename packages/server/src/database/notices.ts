/** What servers on one database tell each other, at once and without promise: whoever misses one finds out by looking. */
export type Notices = {
  /** Tells the others that there is something to look at. What is announced while one is on its way goes with the next. */
  announce(): void;
  stop(): Promise<void>;
};
