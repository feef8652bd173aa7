import type { Forward } from "./forwards.ts";
import { isAddress, isLoopback } from "./reachable.ts";

/** How a contained program finds the places that it may reach: what the bridge listens on, and what names stand for in there. */
export type InsideNetwork = {
  listens: { address: string; port: number; socket: string }[];
  /** Other addresses that its own network has to have. */
  addresses: string[];
  hosts: string;
};

/**
 * Each host gets an address of the sandbox's own loopback, under its own name and port: programs connect as they always do, TLS
 * stays between them and the host, and nothing has to know of a proxy.
 */
export function insideNetwork(forwards: readonly Forward[]): InsideNetwork {
  const addresses = new Map<string, string>();
  const listens: InsideNetwork["listens"] = [];
  const own = new Set<string>();
  for (const { place, socket } of forwards) {
    const { host, port } = place;
    if (isLoopback(host)) {
      for (const address of loopbackAddresses(host)) listens.push({ address, port, socket });
      continue;
    }
    if (isAddress(host)) {
      own.add(host);
      listens.push({ address: host, port, socket });
      continue;
    }
    const next = addresses.size + 1;
    const address = addresses.get(host) ?? `127.82.${next >> 8}.${next & 255}`;
    addresses.set(host, address);
    listens.push({ address, port, socket });
  }
  const hosts = ["127.0.0.1 localhost", "::1 localhost", ...[...addresses].map(([host, address]) => `${address} ${host}`), ""].join("\n");
  return { listens, addresses: [...own], hosts };
}

function loopbackAddresses(host: string): string[] {
  return host === "localhost" ? ["127.0.0.1", "::1"] : [host];
}
