import { setTimeout as delay } from "node:timers/promises";
import type { ToolDifference } from "@remit/contract";
import { RemitError } from "@remit/contract";
import { amountFault, closureVersionsOf, didYouMean } from "@remit/core";
import type { Registry, ToolHead } from "@remit/core";
import type { OfferedTool } from "../upstream/upstreams.ts";
import { findOffer } from "./candidate.ts";
import { composeWithHeads } from "./loaded-registry.ts";
import type { LoadedRegistry } from "./loaded-registry.ts";
import { acceptedEntry, driftedEntry } from "./registry-entries.ts";
import type { RegistryDeps, RegistryService } from "./registry.service.ts";
import { differenceOf, newToolDifference, unregistered } from "./tool-differences.ts";

type ReviewDeps = RegistryDeps & {
  latest(): Promise<LoadedRegistry | null>;
  settle(): Promise<void>;
  check(registry: Registry): Promise<void>;
};

/** How often what was offered is looked at again after somebody else's change, and how long at first until then. */
const maxAttempts = 12;
const firstPauseMs = 20;

/** Watches what upstreams say of their tools, and lets a person accept it. */
export function createToolReview(deps: ReviewDeps): Pick<RegistryService, "toolDifferences" | "acceptTools" | "driftCheck"> {
  const { database, store, ledger, control, upstreams, now } = deps;

  /** Notes what was offered. False: somebody changed the registry meanwhile, and it has to be looked at again. */
  async function note(before: LoadedRegistry, upstream: string, offered: readonly OfferedTool[]): Promise<boolean> {
    const drifted = driftOf(before, upstream, offered);
    if (drifted.size === 0) return true;
    const at = now();
    const noted = await database.transaction(async (transaction) => {
      if ((await store.lock(transaction)) !== before.generation) return false;
      await store.setHeads(transaction, drifted);
      await store.advance(transaction);
      await ledger.append(
        transaction,
        [...drifted].map(([tool, head]) => driftedEntry(tool, head, at)),
      );
      await control.changed(transaction);
      return true;
    });
    if (noted) await deps.settle();
    return noted;
  }

  let checking: Promise<unknown> = Promise.resolve();

  /** One after the other: many upstreams that connect at once would otherwise keep changing the registry under each other's feet. */
  function driftCheck(upstream: string, offered: readonly OfferedTool[]): Promise<void> {
    const checked = checking.then(() => checkDrift(upstream, offered));
    checking = checked.catch(() => undefined);
    return checked;
  }

  async function checkDrift(upstream: string, offered: readonly OfferedTool[]): Promise<void> {
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      const before = await deps.latest();
      if (before === null || (await note(before, upstream, offered))) return;
      // Somebody else's change: another server's, or a registry that is being applied.
      await delay(Math.random() * firstPauseMs * 2 ** Math.min(attempt, 5));
    }
    throw new RemitError(
      "conflict",
      `The registry changes too fast to note what "${upstream}" offers; it is asked again when it reconnects`,
    );
  }

  async function inForce(): Promise<LoadedRegistry> {
    const loaded = await deps.latest();
    if (loaded === null)
      throw new RemitError("not-found", "No registry has been applied yet, so there are no tools; apply one with remit apply");
    return loaded;
  }

  return {
    driftCheck,

    async toolDifferences() {
      const unavailable: { upstream: string; reason: string }[] = [];
      const fresh: ToolDifference[] = [];
      const names = [...(await inForce()).registry.upstreams.keys()];
      const answers = await Promise.all(names.map((upstream) => ask(upstream)));
      for (const { upstream, answer } of answers) {
        if (RemitError.is(answer)) {
          unavailable.push({ upstream, reason: answer.message });
          continue;
        }
        await driftCheck(upstream, answer);
        fresh.push(...unregistered((await inForce()).registry, upstream, answer).map((offer) => newToolDifference(upstream, offer)));
      }
      const known = [...(await inForce()).heads].flatMap(([tool, head]) => differenceOf(tool, head) ?? []);
      return { items: [...known, ...fresh].sort((left, right) => (left.tool < right.tool ? -1 : 1)), unavailable };
    },

    async acceptTools({ tools, digests, actor }) {
      const before = await inForce();
      const accepted = new Map<string, ToolHead>();
      for (const [position, tool] of tools.entries()) accepted.set(tool, accept(before, tool, digests[position] ?? ""));

      const registry = composeWithHeads(before.parts, new Map([...before.heads, ...accepted]));
      // Policies are compiled against the tools' schemas; one that no longer compiles would deny everything.
      await deps.check(registry);
      const at = now();
      await database.transaction(async (transaction) => {
        if ((await store.lock(transaction)) !== before.generation) {
          throw new RemitError(
            "conflict",
            "Somebody else changed the registry at the same time; nothing was accepted; look again with remit tools diff",
          );
        }
        await store.addVersions(transaction, closureVersionsOf(registry));
        await store.setHeads(transaction, accepted);
        await store.advance(transaction);
        await ledger.append(
          transaction,
          [...accepted].map(([tool, head]) =>
            acceptedEntry(tool, before.heads.get(tool) ?? head, head.pin?.digest ?? "", versionsWith(registry, tool), actor, at),
          ),
        );
        await control.changed(transaction);
      });
      await deps.settle();
      return { accepted: [...accepted].map(([tool, { pin }]) => ({ tool, digest: pin?.digest ?? "" })), registry: registry.digest };
    },
  };

  async function ask(upstream: string): Promise<{ upstream: string; answer: OfferedTool[] | RemitError }> {
    try {
      return { upstream, answer: await upstreams.offered(upstream) };
    } catch (error) {
      if (RemitError.is(error)) return { upstream, answer: error };
      throw error;
    }
  }
}

/** The tools of an upstream that are not what they were when it was last asked. */
function driftOf(before: LoadedRegistry, upstream: string, offered: readonly OfferedTool[]): Map<string, ToolHead> {
  const drifted = new Map<string, ToolHead>();
  for (const [name, tool] of before.registry.tools) {
    const head = before.heads.get(name);
    if (tool.spec.upstream !== upstream || head === undefined) continue;
    const now = { pin: head.pin, ...findOffer(tool.spec.name, offered) };
    if (now.offered?.digest !== head.offered?.digest || now.refusal !== head.refusal) drifted.set(name, now);
  }
  return drifted;
}

/** The head of a tool once what was shown of it is accepted: exactly that, or nothing. */
function accept(before: LoadedRegistry, tool: string, digest: string): ToolHead {
  const head = before.heads.get(tool);
  const registered = before.registry.tools.get(tool);
  if (head === undefined || registered === undefined) {
    const known = didYouMean(tool, before.registry.tools.keys());
    throw new RemitError(
      "not-found",
      `There is no registered tool "${tool}"${known || "; register it with a document that states its effect, and apply"}`,
    );
  }
  if (head.refusal !== null) throw new RemitError("invalid-configuration", `${tool} cannot be accepted: ${head.refusal}`);
  if (head.offered === null) throw new RemitError("conflict", `${tool} is not offered by its upstream, so there is nothing to accept`);
  if (head.offered.digest !== digest) {
    throw new RemitError("conflict", `${tool} has changed since it was shown to you; look at it again with remit tools diff`);
  }
  const fault = amountFault(registered.spec, head.offered);
  if (fault !== null) throw new RemitError("invalid-configuration", `${tool} cannot be accepted as registered: ${fault}`);
  return { pin: head.offered, offered: head.offered, refusal: null };
}

function versionsWith(registry: Registry, tool: string): Record<string, string> {
  return Object.fromEntries(
    [...registry.agents.values()].filter(({ spec }) => spec.tools.includes(tool)).map(({ spec, version }) => [spec.name, version]),
  );
}
