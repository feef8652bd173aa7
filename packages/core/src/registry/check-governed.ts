import type { Issue } from "@remit/contract";
import { issueAt } from "./registry-documents.ts";
import type { DocumentIndex, RegistryDocuments } from "./registry-documents.ts";

/** Remit does not run ungoverned: there is policy, there is somebody to ask, and power comes after both. */
export function checkGoverned(documents: RegistryDocuments, index: DocumentIndex): Issue[] {
  const { place } = documents.organisation;
  const policies = index.all("policy");
  return [
    ...(policies.length > 0
      ? []
      : [
          issueAt(
            place,
            "",
            "there is no policy set, so nothing would be governed; add policies/<name>/policy.yaml with a .cedar file beside it",
          ),
        ]),
    ...policies.flatMap(({ spec, place }) =>
      (documents.policySources.get(spec.name) ?? []).some(({ text }) => text.trim() !== "")
        ? []
        : [issueAt(place, "", `the policy set "${spec.name}" has no policies; put a .cedar file beside ${place.file}`)],
    ),
    ...checkApproverTeams(index),
    ...checkOrder(index),
  ];
}

function checkApproverTeams(index: DocumentIndex): Issue[] {
  const issues: Issue[] = [];
  for (const { spec, place } of index.all("workflow")) {
    const team = index.get("team", spec.approvers);
    if (team !== undefined && team.spec.approval === undefined) {
      issues.push(
        issueAt(
          place,
          "/approvers",
          `the team "${spec.approvers}" cannot be asked for approvals; give it an approval block in ${team.place.file}`,
        ),
      );
    }
  }
  for (const { spec, place } of index.all("team")) {
    if (spec.approval === undefined) continue;
    const next = spec.approval.escalateTo === undefined ? undefined : index.get("team", spec.approval.escalateTo);
    if (next !== undefined && next.spec.approval === undefined) {
      issues.push(
        issueAt(
          place,
          "/approval/escalateTo",
          `the team "${next.spec.name}" cannot be asked for approvals; give it an approval block in ${next.place.file}`,
        ),
      );
    }
    if (spec.approval.escalateTo === undefined && spec.approval.escalateAfter !== undefined) {
      issues.push(issueAt(place, "/approval/escalateAfter", `"${spec.name}" escalates to nobody: say to whom with escalateTo`));
    }
  }
  return issues;
}

/** First identity and a record, then somebody to ask, then power: no agent writes before a team can be asked for approval. */
function checkOrder(index: DocumentIndex): Issue[] {
  if (index.all("team").some(({ spec }) => spec.approval !== undefined)) return [];
  return index.all("agent").flatMap(({ spec, place }) => {
    const writes = spec.tools.find((name) => index.get("tool", name)?.spec.effect === "write");
    if (spec.tier < 2 || writes === undefined) return [];
    return [
      issueAt(
        place,
        "/tier",
        `tier ${spec.tier} lets ${spec.name} use ${writes}, and there is no team to ask for approvals yet; add a team with an approval block first, or lower the tier to 1`,
      ),
    ];
  });
}
