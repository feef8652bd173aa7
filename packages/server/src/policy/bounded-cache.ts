/** A map that forgets what was used longest ago. */
export type BoundedCache<Value> = {
  get(key: string): Value | undefined;
  set(key: string, value: Value): void;
  clear(): void;
  readonly size: number;
};

export function createBoundedCache<Value>(max: number, onForget?: (value: Value) => void): BoundedCache<Value> {
  const entries = new Map<string, Value>();
  let newest: string | undefined;

  /** Maps keep order of insertion: putting it back makes it the newest. */
  function renew(key: string, value: Value): void {
    entries.delete(key);
    entries.set(key, value);
    newest = key;
  }

  return {
    get(key) {
      const value = entries.get(key);
      if (value !== undefined && key !== newest) renew(key, value);
      return value;
    },
    set(key, value) {
      renew(key, value);
      if (entries.size <= max) return;
      for (const [oldest, forgotten] of entries) {
        entries.delete(oldest);
        onForget?.(forgotten);
        return;
      }
    },
    clear() {
      entries.clear();
    },
    get size() {
      return entries.size;
    },
  };
}
