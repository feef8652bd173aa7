import { RemitError } from "@remit/contract";
import { DatabaseError } from "pg";

/** What the database refuses because of a hold, whoever asks, in our words. */
export async function unlessHeld<Result>(asked: Promise<Result>): Promise<Result> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof DatabaseError && error.code === "RM001") throw held([error.detail ?? "?"], error);
    throw error;
  }
}

export function held(names: readonly string[], cause?: unknown): RemitError {
  const said = names.map((name) => `"${name}"`).join(", ");
  return new RemitError(
    "conflict",
    `Nothing was erased: it is under the legal hold ${said}. See: remit privacy hold list`,
    cause === undefined ? {} : { cause },
  );
}
