import { RemitError } from "@remit/contract";

/** How many streams there may be at a time: of one principal, and of all. */
export type ConnectionLimits = {
  /** Takes a place; the function that is returned gives it back. @throws RemitError `rate-exceeded` */
  take(principal: string): () => void;
};

export function createConnectionLimits({ perPrincipal, total }: { perPrincipal: number; total: number }): ConnectionLimits {
  const open = new Map<string, number>();
  let all = 0;
  return {
    take(principal) {
      const own = open.get(principal) ?? 0;
      if (own >= perPrincipal) {
        throw new RemitError("rate-exceeded", `You have ${own} event streams open, which is as many as you may; close one first`);
      }
      if (all >= total) throw new RemitError("rate-exceeded", "This server has as many event streams as it takes; try again later");
      open.set(principal, own + 1);
      all += 1;
      let given = false;
      return () => {
        if (given) return;
        given = true;
        all -= 1;
        const left = (open.get(principal) ?? 1) - 1;
        if (left > 0) open.set(principal, left);
        else open.delete(principal);
      };
    },
  };
}
