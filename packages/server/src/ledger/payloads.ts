import type { Id, JsonObject } from "@remit/contract";

/** Reading what entries refer to. */
export type Payloads = {
  /** Null once erased. */
  open(entry: Id<"entry">, name: string): Promise<JsonObject | null>;
};
