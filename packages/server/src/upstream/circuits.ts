import type { ToolResult, UpstreamSpec } from "@remit/contract";
import { RemitError } from "@remit/contract";
import {
  enterCircuit,
  type CallEnd,
  type Circuit,
  type CircuitPolicy,
  closedCircuit,
  defaultCircuitPolicy,
  leaveCircuit,
} from "@remit/core";
import { endOfCall, endOfFailure } from "./upstream-fault.ts";

/** What became of a circuit, for the record. */
export type CircuitChange = {
  upstream: string;
  environment: string;
  tool: string;
  state: "open" | "closed";
  until: Date | null;
  why: string;
};

export type CircuitView = { environment: string; tool: string; state: "open" | "half-open"; until: string | null };

/**
 * One circuit for each tool in each environment: a tool that hangs is no longer called, and the others of its upstream go on. What is
 * broken on purpose in one environment stops nothing in another. Each server has its own, from what it sees itself.
 */
export type Circuits = {
  /** @throws RemitError `circuit-open`, or what `call` throws. */
  through(spec: UpstreamSpec, environment: string, tool: string, call: () => Promise<ToolResult>): Promise<ToolResult>;
  /** Those that are not closed. */
  of(upstream: string): CircuitView[];
  /** Forgets an upstream that is gone or has changed. */
  forget(upstream: string): void;
};

type Held = { environment: string; tool: string; circuit: Circuit };

/** More than the tools of any upstream in all environments. */
const maxCircuits = 20_000;

export function createCircuits(options: {
  now: () => Date;
  /** A clock that never jumps: one that does must not keep anything closed for a day. */
  monotonicMs?: () => number;
  onChange: (change: CircuitChange) => void;
}): Circuits {
  const upstreams = new Map<string, Map<string, Held>>();
  const clock = options.monotonicMs ?? (() => performance.now());
  const dateOf = (at: number): Date => new Date(options.now().getTime() + Math.max(0, at - clock()));

  function heldBy(upstream: string, environment: string, tool: string): Held {
    const held = upstreams.get(upstream) ?? new Map<string, Held>();
    upstreams.set(upstream, held);
    const key = `${environment}/${tool}`;
    let found = held.get(key);
    if (found === undefined) {
      if (held.size >= maxCircuits) held.clear();
      found = { environment, tool, circuit: closedCircuit };
      held.set(key, found);
    }
    return found;
  }

  function move(upstream: string, held: Held, next: Circuit, why: string): void {
    const before = held.circuit;
    held.circuit = next;
    const { environment, tool } = held;
    if (next.state === "open" && before.state !== "open")
      options.onChange({ upstream, environment, tool, state: "open", until: dateOf(next.until), why });
    if (next.state === "closed" && before.state === "half-open")
      options.onChange({ upstream, environment, tool, state: "closed", until: null, why: "its trials succeeded" });
  }

  return {
    async through(spec, environment, tool, call) {
      const { name } = spec;
      const policy = policyOf(spec);
      const held = heldBy(name, environment, tool);
      const admission = enterCircuit(held.circuit, clock());
      if (admission.type === "refused") {
        const when = admission.until === null ? "once a trial that is running has ended" : `at ${dateOf(admission.until).toISOString()}`;
        throw new RemitError(
          "circuit-open",
          `${tool} of upstream "${name}" keeps failing, so it is not called for now; nothing was sent; it is tried again ${when}`,
        );
      }
      const { term } = admission;
      move(name, held, admission.circuit, "");
      const end = (how: CallEnd, why: string): void => move(name, held, leaveCircuit(held.circuit, policy, term, how, clock()), why);
      try {
        const result = await call();
        end(endOfCall(result), "it answers that it is not well");
        return result;
      } catch (error) {
        end(endOfFailure(error), RemitError.is(error) ? error.code : "upstream-error");
        throw error;
      }
    },
    of: (upstream) =>
      [...(upstreams.get(upstream)?.values() ?? [])].flatMap(({ environment, tool, circuit }) =>
        circuit.state === "closed"
          ? []
          : [{ environment, tool, state: circuit.state, until: circuit.state === "open" ? dateOf(circuit.until).toISOString() : null }],
      ),
    forget: (upstream) => void upstreams.delete(upstream),
  };
}

function policyOf({ breaker = {} }: UpstreamSpec): CircuitPolicy {
  const given = Object.entries(breaker).filter(([, value]) => value !== undefined);
  return { ...defaultCircuitPolicy, ...Object.fromEntries(given) };
}
