import { openTestActionPath } from "../action/action-path.testing.ts";
import type { PathOverrides, TestActionPath } from "../action/action-path.testing.ts";
import { newId } from "../id/new-id.ts";
import { createLedger } from "../ledger/ledger.postgres.ts";
import { testMasterKey } from "../ledger/ledger.testing.ts";
import { createHolds } from "./holds.service.ts";
import type { Holds } from "./holds.service.ts";
import { createKeyRewriter } from "./key-rewriter.postgres.ts";
import type { KeyRewriter } from "./key-rewriter.ts";
import { privacyStore } from "./privacy.postgres.ts";
import { createPrivacyRequests } from "./privacy-requests.ts";
import type { PrivacyRequests } from "./privacy-requests.ts";
import { createPrivacy } from "./privacy.service.ts";
import type { Privacy } from "./privacy.service.ts";
import { retentionStore } from "./retention.postgres.ts";
import { createRetention } from "./retention.service.ts";
import type { Retention } from "./retention.service.ts";
import { createSubjectKeys } from "./subject-keys.ts";

export type TestPrivacy = TestActionPath & {
  privacy: Privacy;
  holds: Holds;
  retention: Retention;
  requests: PrivacyRequests;
  rewriter: KeyRewriter;
  /** Mail to somebody, whom it is about: granted and carried out. */
  mail(to: string, body: string): Promise<void>;
};

/** Whom mail is about: whoever it goes to. */
const subjects = [{ type: "customer", in: "arguments" as const, pointer: "/to" }];

/** An action path on which mail is about its recipient, and what looks after what is recorded of it. */
export async function openTestPrivacy(overrides: PathOverrides = {}): Promise<TestPrivacy> {
  const remit = await openTestActionPath({
    policy: `@id("grants.everything") permit (principal, action, resource);`,
    tools: [{ name: "send_email", subjects }],
    ...overrides,
  });
  const { database, control, approvals, payloadKeys } = remit;
  const now = (): Date => new Date(remit.clock.now);
  const rewriter = createKeyRewriter({
    ownerUrl: remit.url,
    ownsCluster: false,
    onError: (error) => {
      throw error;
    },
  });
  const found = createSubjectKeys({ store: privacyStore, masterKey: testMasterKey, keys: payloadKeys });
  const { payloads } = remit.deps;
  const parts = {
    database,
    store: privacyStore,
    subjects: found,
    // What it destroys, it seals with no more: one set of keys, as in a server.
    ledger: createLedger({ database, payloadKeys }),
    payloads,
    payloadKeys,
    control,
    approvals,
    rewriter,
  };
  const keeping = { ...parts, now, newId };
  return {
    ...remit,
    rewriter,
    privacy: createPrivacy(keeping),
    holds: createHolds(keeping),
    requests: createPrivacyRequests(keeping),
    retention: createRetention({
      ...keeping,
      store: retentionStore,
      masterKey: testMasterKey,
      registry: { current: () => remit.registry() },
    }),
    async mail(to, body) {
      const outcome = await remit.act("send_email", { to, body });
      if (outcome.type !== "succeeded") throw new Error(JSON.stringify(outcome));
    },
  };
}
