import type { EntryType, ErasureView, Id, IdKind, JsonObject, NewEntry, Person, SubjectExport, SubjectView } from "@remit/contract";
import { ledgerEventSchema, RemitError } from "@remit/contract";
import { story } from "@remit/core";
import type { ApprovalService } from "../approval/approval.service.ts";
import type { ControlState } from "../control/control-state.ts";
import type { Database } from "../database/database.ts";
import { pageOf } from "../http/page.ts";
import type { Page } from "../http/page.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { PayloadKeys } from "../ledger/payload-keys.ts";
import type { Payloads } from "../ledger/payloads.ts";
import { held } from "./held.ts";
import type { KeyRewriter } from "./key-rewriter.ts";
import type { PrivacyStore, StoredEntry, StoredPayload } from "./privacy.store.ts";
import type { KnownSubject, SubjectKeys } from "./subject-keys.ts";

export type PrivacyOptions = {
  database: Database;
  store: PrivacyStore;
  subjects: SubjectKeys;
  ledger: Pick<Ledger, "append" | "record">;
  payloads: Payloads;
  payloadKeys: Pick<PayloadKeys, "forget">;
  control: Pick<ControlState, "changed" | "onChange" | "refresh">;
  approvals: Pick<ApprovalService, "withdrawRequest">;
  rewriter: KeyRewriter;
  now: () => Date;
  newId: <K extends IdKind>(kind: K) => Id<K>;
};

/** What is held about somebody: shown to them, and erased. */
export type Privacy = {
  list(page: { after: string | null; limit: number }): Promise<Page<SubjectView>>;
  /** One page of everything about a subject; each page is recorded. @throws RemitError `not-found` */
  exportPage(
    person: Person,
    asked: { subject: string; reason: string; includeShared: boolean; after: string | null; limit: number },
  ): Promise<SubjectExport>;
  /** What erasing would take away. @throws RemitError `not-found` */
  plan(subject: string): Promise<ErasureView>;
  /** Destroys the subject's key, and every copy that is not sealed under it. @throws RemitError `not-found` | `conflict` where it is held */
  erase(person: Person, asked: { subject: string; reason: string }): Promise<ErasureView>;
};

export function createPrivacy(options: PrivacyOptions): Privacy {
  const { database, store, subjects, ledger, now, newId } = options;

  // Another server's erasure reaches this one's keys as a halt reaches its actions.
  options.control.onChange(async () => options.payloadKeys.forget());

  const entry = (type: EntryType, person: Person, data: JsonObject, reason: string): NewEntry => ({
    id: newId("entry"),
    type,
    at: now().toISOString(),
    actor: `party:${person.party}`,
    data: { ...data, linkedBy: person.linkedBy },
    // People write names into reasons.
    payloads: [{ name: "request", subject: `party:${person.party}`, value: { reason } }],
  });

  async function planOf(
    known: KnownSubject,
  ): Promise<ErasureView & { open: Id<"approval">[]; requests: Id<"approval">[]; work: string[] }> {
    const [reach, holds] = await Promise.all([store.reach(database, known.key), store.holdsAgainst(database, known.key)]);
    return {
      subject: known.subject,
      key: known.key,
      erased: false,
      payloads: reach.payloads,
      shared: reach.shared,
      entries: reach.entries,
      approvals: reach.approvals.length,
      items: reach.items.length,
      holds: holds.map(({ name }) => name),
      rewritten: null,
      entry: null,
      open: reach.approvals,
      requests: reach.requests,
      work: reach.items,
    };
  }

  async function shown(
    payload: StoredPayload,
    key: string,
    includeShared: boolean,
  ): Promise<SubjectExport["entries"][number]["payloads"][string]> {
    const people = payload.reference.split(" ").filter((part) => part.startsWith("person:"));
    // What is about others is theirs too, and not simply his who asks.
    if (people.some((one) => one !== key) && !includeShared) return { state: "shared", value: null };
    try {
      const value = await options.payloads.open(payload.entryId as Id<"entry">, payload.name);
      return value === null ? { state: "erased", value } : { state: "open", value };
    } catch (error) {
      if (!RemitError.is(error) || error.code !== "internal") throw error;
      return { state: "damaged", value: null };
    }
  }

  async function shownEntries(rows: readonly StoredEntry[], key: string, includeShared: boolean): Promise<SubjectExport["entries"]> {
    const payloads = Map.groupBy(
      await store.payloadsOf(
        database,
        rows.map(({ id }) => id),
      ),
      ({ entryId }) => entryId,
    );
    const entries: SubjectExport["entries"] = [];
    for (const { id, seq, body } of rows) {
      const opened = await Promise.all(
        (payloads.get(id) ?? []).map(async (one) => [one.name, await shown(one, key, includeShared)] as const),
      );
      entries.push({ seq, event: ledgerEventSchema.parse(JSON.parse(body.toString())), payloads: Object.fromEntries(opened) });
    }
    return entries;
  }

  return {
    async list({ after, limit }) {
      const page = pageOf(await store.subjects(database, { after, limit: limit + 1 }), limit, ({ key }) => [key]);
      const holds = await store.holds(database, { all: false, after: null, limit: 1_000 });
      const items = page.items.map((stored) => {
        const { subject, key, firstSeenAt } = subjects.known(stored);
        const names = holds.filter((hold) => hold.key === null || hold.key === key).map(({ name }) => name);
        return { subject, key, firstSeenAt: firstSeenAt.toISOString(), holds: names };
      });
      return { items, next: page.next };
    },

    async exportPage(person, { subject, reason, includeShared, after, limit }) {
      const known = await subjects.find(database, subject);
      const page = pageOf(await store.entries(database, known.key, { after, limit: limit + 1 }), limit, ({ id }) => [id]);
      const entries = await shownEntries(page.items, known.key, includeShared);
      // Before it is given out: what is not recorded is not shown.
      const counts = { entries: entries.length, includeShared, after };
      await ledger.record(entry("subject-exported", person, { key: known.key, ...counts }, reason));
      const told = story(
        known.subject,
        entries.map(({ payloads, ...rest }) => ({
          ...rest,
          payloads: Object.fromEntries(
            Object.entries(payloads).map(([name, { state, value }]) => [
              name,
              { state: state === "shared" ? ("erased" as const) : state, value: value as JsonObject | null },
            ]),
          ),
        })),
      );
      return { subject: known.subject, key: known.key, exportedAt: now().toISOString(), entries, actions: told.actions, next: page.next };
    },

    async plan(subject) {
      const { open: _open, requests: _requests, work: _work, ...view } = await planOf(await subjects.find(database, subject));
      return view;
    },

    async erase(person, { subject, reason }) {
      const known = await subjects.find(database, subject);
      const { key } = known;
      const { open, requests, work, ...plan } = await planOf(known);
      const { payloads, shared, entries, holds } = plan;
      if (holds.length > 0) {
        await ledger.record(entry("erasure-refused", person, { key, holds }, reason));
        throw held(holds);
      }
      const done = entry(
        "subject-erased",
        person,
        { key, sealed: payloads, shared, entries, items: work.length, approvals: open.length },
        reason,
      );
      await database.transaction(async (transaction) => {
        await store.emptyItems(transaction, work);
        await store.emptyCommentsAbout(transaction, requests);
        if (key.startsWith("party:")) await store.emptyComments(transaction, key.slice("party:".length));
        // Last of what can be refused, and with all the others or not at all.
        if (!(await store.erase(transaction, key))) throw new RemitError("not-found", `${subject} has just been erased by somebody else`);
        await ledger.append(transaction, [done]);
        await options.control.changed(transaction);
      });
      options.payloadKeys.forget();
      // Without their arguments they can neither be shown nor executed; were this cut off, they would end by themselves.
      for (const id of open) {
        await options.approvals.withdrawRequest(id, { reason: "What it asks for has been erased.", actor: `party:${person.party}` });
      }
      const [rewritten] = await Promise.all([options.rewriter.rewrite(), options.control.refresh()]);
      return { ...plan, erased: true, rewritten, entry: done.id };
    },
  };
}
