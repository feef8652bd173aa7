import { lookup } from "node:dns/promises";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { join } from "node:path";
import type { Reachable } from "./reachable.ts";
import { isAddress, isLoopback } from "./reachable.ts";

/** One way out: connections to this socket, and to nothing else, go to that place. */
export type Forward = { place: Reachable; socket: string };

export type Forwards = { forwards: Forward[]; close(): void };

const connectTimeoutMs = 10_000;

/**
 * Opens a socket for each place, in a folder that a contained program is shown. Which place a connection goes to is a property of
 * the socket that it came by: there is no request to read, and so none to forge.
 */
export async function openForwards(folder: string, places: readonly Reachable[]): Promise<Forwards> {
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  };
  const forwards: Forward[] = [];
  for (const [index, place] of places.entries()) {
    const socket = join(folder, String(index));
    const server = createServer({ allowHalfOpen: true }, (inside) => {
      keep(inside);
      inside.on("error", () => undefined);
      void lead(inside, place, keep);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(socket, resolve);
    });
    server.unref();
    servers.push(server);
    forwards.push({ place, socket });
  }
  return {
    forwards,
    close() {
      for (const server of servers) server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function lead(inside: Socket, place: Reachable, keep: (socket: Socket) => void): Promise<void> {
  try {
    const outside = await dial(place);
    keep(outside);
    carry(inside, outside);
  } catch {
    inside.destroy();
  }
}

async function dial({ host, port }: Reachable): Promise<Socket> {
  const address = isLoopback(host) || isAddress(host) ? host : await addressOf(host);
  return await new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, allowHalfOpen: true, timeout: connectTimeoutMs });
    socket.once("connect", () => {
      socket.setTimeout(0);
      resolve(socket);
    });
    socket.once("timeout", () => socket.destroy(new Error("timed out")));
    socket.on("error", reject);
  });
}

/** A name that somebody else answers for must not become this machine, or the one that hands out its cloud's keys. */
async function addressOf(host: string): Promise<string> {
  const answers = await lookup(host, { all: true });
  const usable = answers.find(({ address }) => !leadsHome(address));
  if (usable === undefined) throw new Error(`${host} is an address of this machine or link`);
  return usable.address;
}

/** Loopback, unspecified, link-local (cloud metadata), multicast. */
function leadsHome(address: string): boolean {
  const plain = address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, "");
  if (plain.includes(":")) return plain === "::" || plain === "::1" || /^(?:fe[89ab]|ff|::ffff:|64:ff9b:)/.test(plain);
  const [first = 0, second = 0] = plain.split(".").map(Number);
  return first === 0 || first === 127 || first >= 224 || (first === 169 && second === 254);
}

function carry(one: Socket, other: Socket): void {
  one.pipe(other);
  other.pipe(one);
  for (const [socket, peer] of [
    [one, other],
    [other, one],
  ] as const) {
    socket.on("error", () => peer.destroy());
    socket.once("close", () => peer.destroy());
  }
}
