import type { UpstreamSpec } from "@remit/contract";
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
  /** Lets a call through, or not. @throws RemitError `circuit-open` */
  enter(spec: UpstreamSpec, environment: string, tool: string): Admitted;
  /** A call that was let through has ended. */
  leave(admitted: Admitted, how: CallEnd, why: string): void;
  /** Those that are not closed. */
  of(upstream: string): CircuitView[];
  /** Forgets an upstream that is gone or has changed. */
  forget(upstream: string): void;
};

type Held = { upstream: string; environment: string; tool: string; circuit: Circuit };

export type Admitted = { held: Held; policy: CircuitPolicy; term: number };

/** What is known of one upstream. */
type Known = { spec: UpstreamSpec; policy: CircuitPolicy; held: Map<string, Held> };

/** More than the tools of any upstream in all environments. */
const maxCircuits = 20_000;

export function createCircuits(options: {
  now: () => Date;
  /** A clock that never jumps: one that does must not keep anything closed for a day. */
  monotonicMs?: () => number;
  onChange: (change: CircuitChange) => void;
}): Circuits {
  const upstreams = new Map<string, Known>();
  const clock = options.monotonicMs ?? (() => performance.now());
  const dateOf = (at: number): Date => new Date(options.now().getTime() + Math.max(0, at - clock()));

  function known(spec: UpstreamSpec): Known {
    const found = upstreams.get(spec.name);
    if (found?.spec === spec) return found;
    const next = { spec, policy: policyOf(spec), held: found?.held ?? new Map<string, Held>() };
    upstreams.set(spec.name, next);
    return next;
  }

  function heldOf({ spec, held }: Known, environment: string, tool: string): Held {
    const key = `${environment}/${tool}`;
    let found = held.get(key);
    if (found === undefined) {
      if (held.size >= maxCircuits) held.clear();
      found = { upstream: spec.name, environment, tool, circuit: closedCircuit };
      held.set(key, found);
    }
    return found;
  }

  function move(held: Held, next: Circuit, why: string): void {
    const before = held.circuit;
    held.circuit = next;
    const { upstream, environment, tool } = held;
    if (next.state === "open" && before.state !== "open")
      options.onChange({ upstream, environment, tool, state: "open", until: dateOf(next.until), why });
    if (next.state === "closed" && before.state === "half-open")
      options.onChange({ upstream, environment, tool, state: "closed", until: null, why: "its trials succeeded" });
  }

  return {
    enter(spec, environment, tool) {
      const ours = known(spec);
      const held = heldOf(ours, environment, tool);
      const admission = enterCircuit(held.circuit, clock());
      if (admission.type === "refused") {
        const when = admission.until === null ? "once a trial that is running has ended" : `at ${dateOf(admission.until).toISOString()}`;
        throw new RemitError(
          "circuit-open",
          `${tool} of upstream "${spec.name}" keeps failing, so it is not called for now; nothing was sent; it is tried again ${when}`,
        );
      }
      move(held, admission.circuit, "");
      return { held, policy: ours.policy, term: admission.term };
    },
    leave({ held, policy, term }, how, why) {
      move(held, leaveCircuit(held.circuit, policy, term, how, clock()), why);
    },
    of: (upstream) =>
      [...(upstreams.get(upstream)?.held.values() ?? [])].flatMap(({ environment, tool, circuit }) =>
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
