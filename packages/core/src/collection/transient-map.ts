/**
 * A map of what comes and goes: calls in flight, requests that wait for their answers.
 *
 * When V8 moves a Map's entries into another table, the table that it leaves keeps a pointer to the next. Once one of them is among the
 * old objects, as all are after a whole collection, each keeps the next one alive, and with it everything that was in the map when it
 * was left: of calls that have long ended, all that they ever held. This one is begun anew every so often, which ends the chain.
 */
export class TransientMap<Key, Value> {
  #entries = new Map<Key, Value>();
  /** How many have gone since it was begun. */
  #gone = 0;

  get size(): number {
    return this.#entries.size;
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  has(key: Key): boolean {
    return this.#entries.has(key);
  }

  set(key: Key, value: Value): void {
    this.#entries.set(key, value);
  }

  delete(key: Key): boolean {
    if (!this.#entries.delete(key)) return false;
    this.#gone += 1;
    if (this.#gone > renewedAfter + this.#entries.size) {
      this.#entries = new Map(this.#entries);
      this.#gone = 0;
    }
    return true;
  }

  /** In the order in which they came, as they are now: what comes or goes meanwhile changes nothing of it. */
  entries(): [Key, Value][] {
    return [...this.#entries];
  }

  /** As {@link entries}. */
  values(): Value[] {
    return [...this.#entries.values()];
  }
}

/** With its size beside it, so that copying costs less than one step for each that has gone. */
const renewedAfter = 64;
