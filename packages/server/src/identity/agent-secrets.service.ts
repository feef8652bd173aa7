import { timingSafeEqual } from "node:crypto";
import type { AgentSecret, Id, IssuedSecret } from "@remit/contract";
import { RemitError } from "@remit/contract";
import type { ControlState } from "../control/control-state.ts";
import type { Database } from "../database/database.ts";
import { newId } from "../id/new-id.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import type { IdentityStore, StoredSecret } from "./identity.store.ts";
import type { Resource } from "./resource.ts";
import type { RevocationList } from "./revocations.ts";
import { hashOf, newSecret } from "./secret-token.ts";

/** Client secrets of agents. Several are good at once, so that one can be rotated without a gap. */
export type AgentSecrets = {
  /** The secret itself is in the answer, and nowhere else ever again. @throws RemitError `not-found` | `conflict` */
  issue(agent: string, options: { expiresInDays: number; actor: string }): Promise<IssuedSecret>;
  /** @throws RemitError `not-found` */
  list(agent: string): Promise<AgentSecret[]>;
  /** Ends a secret, and every token that was got with it. @throws RemitError `not-found` */
  retire(agent: string, id: string, actor: string): Promise<void>;
  /** Which of the agent's secrets this is, if it is one that is good now. */
  check(agent: string, secret: string): Promise<Id<"secret"> | null>;
};

const maxLiveSecrets = 5;
const dayMs = 86_400_000;

export function createAgentSecrets(options: {
  database: Database;
  store: IdentityStore;
  ledger: Pick<Ledger, "append">;
  registry: RegistrySource;
  revocations: RevocationList;
  control: Pick<ControlState, "changed" | "refresh">;
  resource: Resource;
  now: () => Date;
}): AgentSecrets {
  const { database, store, ledger } = options;

  function mustExist(agent: string): void {
    if (!options.registry.current().agents.has(agent)) throw new RemitError("not-found", `There is no agent ${agent}`);
  }

  return {
    async issue(agent, { expiresInDays, actor }) {
      mustExist(agent);
      const at = options.now();
      if ((await store.liveSecrets(agent, at)).length >= maxLiveSecrets) {
        throw new RemitError("conflict", `${agent} has ${maxLiveSecrets} secrets that are good; retire one first`);
      }
      const clientSecret = newSecret("agent");
      const secret: StoredSecret = {
        id: newId("secret", at.getTime()),
        agent,
        createdAt: at,
        createdBy: actor,
        expiresAt: new Date(at.getTime() + expiresInDays * dayMs),
        retiredAt: null,
        lastUsedAt: null,
      };
      await database.transaction(async (transaction) => {
        await store.addSecret(transaction, secret, hashOf(clientSecret));
        await ledger.append(transaction, [
          {
            id: newId("entry", at.getTime()),
            type: "secret-issued",
            at: at.toISOString(),
            actor,
            data: { agent, secret: secret.id, expiresAt: secret.expiresAt.toISOString() },
          },
        ]);
      });
      return {
        id: secret.id,
        clientId: agent,
        clientSecret,
        expiresAt: secret.expiresAt.toISOString(),
        tokenEndpoint: options.resource.tokenEndpoint,
        resource: options.resource.audience,
      };
    },

    async list(agent) {
      mustExist(agent);
      return (await store.listSecrets(agent)).map(shown);
    },

    async retire(agent, id, actor) {
      const at = options.now();
      await database.transaction(async (transaction) => {
        if (!(await store.retireSecret(transaction, agent, id, at))) {
          throw new RemitError("not-found", `${agent} has no secret ${id} that is not retired already`);
        }
        await options.revocations.revoke(transaction, "secret", id, "retired");
        await options.control.changed(transaction);
        await ledger.append(transaction, [
          { id: newId("entry", at.getTime()), type: "secret-retired", at: at.toISOString(), actor, data: { agent, secret: id } },
        ]);
      });
      await options.control.refresh();
    },

    async check(agent, secret) {
      const at = options.now();
      const hash = hashOf(secret);
      const live = await store.liveSecrets(agent, at);
      // All are compared, each in constant time: how long it takes says nothing about which, or how nearly.
      const matching = live.filter((one) => timingSafeEqual(one.hash, hash));
      const [found] = matching;
      if (found === undefined) return null;
      await store.touchSecret(found.id, at);
      return found.id;
    },
  };
}

function shown(secret: StoredSecret): AgentSecret {
  return {
    id: secret.id,
    agent: secret.agent,
    createdAt: secret.createdAt.toISOString(),
    createdBy: secret.createdBy,
    expiresAt: secret.expiresAt.toISOString(),
    retiredAt: secret.retiredAt?.toISOString() ?? null,
    lastUsedAt: secret.lastUsedAt?.toISOString() ?? null,
  };
}
