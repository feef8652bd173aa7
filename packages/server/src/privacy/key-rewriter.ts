/** Sees to it that the bytes of deleted keys are in no table's file any more. */
export type KeyRewriter = {
  /** False where it could not be done now; it is tried again. */
  rewrite(): Promise<boolean>;
};
