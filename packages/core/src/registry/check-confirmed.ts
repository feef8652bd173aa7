import type { Issue } from "@remit/contract";
import { assetName, issueAt } from "./registry-documents.ts";
import type { DocumentIndex } from "./registry-documents.ts";

/** What a program has guessed about a tool, a person has to look at: nothing comes into force on a guess. */
export function checkConfirmed(index: DocumentIndex): Issue[] {
  return index
    .all("tool")
    .flatMap(({ spec, place }) =>
      spec.unconfirmed === undefined
        ? []
        : [
            issueAt(
              place,
              "/unconfirmed",
              `nobody has confirmed that ${assetName(spec)} is effect: ${spec.effect}, reversibility: ${spec.reversibility}, sensitivity: ${spec.sensitivity}; check these, then delete the line unconfirmed: true`,
            ),
          ],
    );
}
