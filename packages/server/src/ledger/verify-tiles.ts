import type { Tile } from "@remit/core";
import { equal, splitHashes, tileWidth } from "@remit/core";
import type { LedgerRows } from "./ledger-rows.ts";
import type { Report } from "./verify-ledger.ts";

/** Compares the tiles that the leaves give with those that are stored. */
export async function checkTiles(rows: LedgerRows, computed: readonly Tile[], report: Report): Promise<void> {
  const levels = new Map<number, Tile[]>();
  for (const tile of computed) levels.set(tile.level, [...(levels.get(tile.level) ?? []), tile]);
  for (const [level, tiles] of levels) {
    const from = tiles[0]?.index ?? 0;
    const stored = new Map((await rows.tiles(level, from, from + tiles.length)).map((tile) => [tile.index, tile]));
    for (const tile of tiles) compare(tile, stored.get(tile.index), report);
  }
}

function compare(tile: Tile, stored: Tile | undefined, report: Report): void {
  const below = tileWidth ** tile.level;
  const first = tile.index * tileWidth * below;
  const name = `Tile ${tile.index} of level ${tile.level}`;
  if (stored === undefined) {
    report(first, null, `${name} is missing: it was removed`);
    return;
  }
  const theirs = splitHashes(stored.hashes);
  const wrong = splitHashes(tile.hashes).findIndex((hash, index) => !equal(hash, theirs[index] ?? new Uint8Array(0)));
  if (wrong >= 0 || stored.hashes.length !== tile.hashes.length) report(first + Math.max(wrong, 0) * below, null, `${name} was changed`);
  else if (!equal(stored.root, tile.root)) report(first, null, `The root of ${name.toLowerCase()} was changed`);
}
