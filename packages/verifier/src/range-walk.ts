import { equal } from "@remit/core";
import type { CompactRange } from "@remit/core";
import type { Problems } from "./problems.ts";

/**
 * The tree over a range, grown from the entries. A bundle says what an entry hashes to twice: by its body, and in its list of leaves.
 * Where the two differ, the signed root says which of them is right, and so which entry is wrong.
 */
export type RangeWalk = {
  readonly size: number;
  add(body: Uint8Array, listed: Uint8Array): void;
  /** Holds what was added so far against a signed root; says whether it is what was signed. */
  check(root: Uint8Array, what: string): boolean;
  /** Behind the range come subtrees of which only the roots are known. */
  addSubtree(level: number, root: Uint8Array): void;
  /** The root that the bodies give at this moment. */
  root(): Uint8Array;
};

const mostDiffering = 2_000;

export function rangeWalk(start: CompactRange, problems: Problems): RangeWalk {
  /** Over the bodies; over the list as well as long as they agree. */
  let bodies = start;
  /** Over the list, from where it differs on. */
  let list: CompactRange | null = null;
  /** Places where the two differ since the last root that held. */
  let differing: number[] = [];
  let since = start.size;
  /** After a root that could not be explained none can be. */
  let isRooted = true;

  return {
    get size() {
      return bodies.size;
    },
    add(body, listed) {
      if (!equal(body, listed)) {
        list ??= bodies.fork();
        if (differing.length < mostDiffering) differing.push(bodies.size);
      }
      bodies.append(body);
      list?.append(listed);
    },
    check(root, what) {
      if (!isRooted) return false;
      const byBody = equal(bodies.root(), root);
      const byList = list !== null && equal(list.root(), root);
      const from = since;
      since = bodies.size;
      if (byBody || byList) {
        for (const seq of differing) {
          if (byBody) problems.report("tampered", seq, `The list of leaf hashes was changed: the entry itself is what was signed`);
          else
            problems.report("tampered", seq, `The entry is not what was signed at this place: it was changed, moved, put in or taken out`);
        }
        if (byList && list !== null) bodies = list;
        [list, differing] = [null, []];
        return true;
      }
      isRooted = false;
      const [first] = differing;
      if (first !== undefined)
        problems.report("tampered", first, `The entry and its leaf hash differ, and neither leads to the root that was signed (${what})`);
      else
        problems.report(
          "tampered",
          from,
          `Entries ${from} to ${bodies.size - 1} do not lead to the root that was signed (${what}): one or more of them were rewritten together with their hashes, or the hashes that join them to it were`,
        );
      return false;
    },
    addSubtree(level, root) {
      bodies.appendSubtree(level, root);
      list?.appendSubtree(level, root);
    },
    root: () => bodies.root(),
  };
}
