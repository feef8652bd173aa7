import { approvalViewSchema, loginLinkSchema, meSchema } from "@remit/contract";
import type { ApprovalView } from "@remit/contract";
import { createHttpClient, everyItem, logIn, readContexts } from "@remit/cli";
import type { HttpClient, Surroundings } from "@remit/cli";

/** The people of the example that somebody at this keyboard speaks for, and the context of each. */
export const contexts = { sam: "default", leila: "leila", ada: "ada" } as const;
export type LocalPerson = keyof typeof contexts;

/** The command that decides it, as the first of the people here who may; where none may, the one that shows it. */
export function decideCommand(view: ApprovalView): string {
  const names = Object.keys(contexts) as LocalPerson[];
  const person = names.find((name) => view.teams.some((team) => team.eligible.includes(name)));
  if (person === undefined) return `npx remit approvals show ${view.id}`;
  return `npx remit approvals approve ${view.id}${person === "sam" ? "" : ` --context ${contexts[person]}`}`;
}

/** The client of each, logged in once and again only when the session has ended. */
export async function logInPeople(around: Surroundings, machine: HttpClient): Promise<Record<LocalPerson, HttpClient>> {
  const logged = async (person: LocalPerson) => {
    const kept = await openKept(around, machine.url, person);
    if (kept !== null) return kept;
    const { token } = await logIn(around, contexts[person], await makeLink(machine, person));
    return createHttpClient(machine.url, { type: "session", token });
  };
  // One after the other: they share one file.
  return { sam: await logged("sam"), leila: await logged("leila"), ada: await logged("ada") };
}

export async function makeLink(machine: HttpClient, party: string): Promise<string> {
  return (await machine.send({ method: "POST", path: "/v1/links", body: { party }, response: loginLinkSchema })).url;
}

/** Everything that waits for anybody. */
export async function readWaiting(client: HttpClient): Promise<ApprovalView[]> {
  const waiting: ApprovalView[] = [];
  for await (const view of everyItem(client, "/v1/approvals", approvalViewSchema, { state: "pending" })) waiting.push(view);
  return waiting.toReversed();
}

async function openKept(around: Surroundings, url: string, person: LocalPerson): Promise<HttpClient | null> {
  const context = (await readContexts(around))[contexts[person]];
  if (context?.party !== person || context.url !== url) return null;
  const client = createHttpClient(url, { type: "session", token: context.token });
  try {
    await client.send({ path: "/v1/me", response: meSchema });
    return client;
  } catch {
    return null;
  }
}
