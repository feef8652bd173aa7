import type { CursorStore } from "./cursor.store.ts";

export const cursorStore: CursorStore = {
  async claim(on, name, holder, leaseMs, place) {
    await on.query("INSERT INTO stream_cursor (name, place) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", [name, place]);
    const [row] = await on.query<{ place: string; epoch: string }>(
      `UPDATE stream_cursor SET holder = $2, epoch = epoch + 1, held_until = clock_timestamp() + $3 * interval '1 ms'
       WHERE name = $1 AND held_until < clock_timestamp() RETURNING place, epoch`,
      [name, holder, leaseMs],
    );
    return row === undefined ? null : { place: Number(row.place), epoch: row.epoch };
  },
  async move(on, name, epoch, place, leaseMs) {
    const rows = await on.query(
      `UPDATE stream_cursor SET place = greatest(place, $3), held_until = clock_timestamp() + $4 * interval '1 ms'
       WHERE name = $1 AND epoch = $2 RETURNING name`,
      [name, epoch, place, leaseMs],
    );
    return rows.length === 1;
  },
  async list(on) {
    const rows = await on.query<{ name: string; place: string; active: boolean }>(
      "SELECT name, place, held_until > clock_timestamp() AS active FROM stream_cursor ORDER BY name",
    );
    return rows.map(({ place, ...row }) => ({ ...row, place: Number(place) }));
  },
  async put(transaction, name, place) {
    const [row] = await transaction.query<{ before: string }>("SELECT place AS before FROM stream_cursor WHERE name = $1 FOR UPDATE", [
      name,
    ]);
    if (row === undefined) return null;
    await transaction.query("UPDATE stream_cursor SET place = $2, epoch = epoch + 1, held_until = '-infinity' WHERE name = $1", [
      name,
      place,
    ]);
    return Number(row.before);
  },
  async release(on, name, epoch) {
    await on.query("UPDATE stream_cursor SET held_until = '-infinity' WHERE name = $1 AND epoch = $2", [name, epoch]);
  },
};
