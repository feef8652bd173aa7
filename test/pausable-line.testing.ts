import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { once } from "node:events";

/** A line of TCP to PostgreSQL that can be cut, or fall silent without anybody being told. */
export type PausableLine = AsyncDisposable & {
  /** The database's address, by this line. */
  url: string;
  /** Nothing more comes through, and nobody is told: as when a cable is pulled. */
  pause(): void;
  resume(): void;
  /** Ends the connections whose traffic from the client has held this text. How many. */
  cut(text: string): number;
};

export async function openLine(databaseUrl: string): Promise<PausableLine> {
  const target = new URL(databaseUrl);
  const socketFolder = target.searchParams.get("host");
  const open = (): Socket =>
    socketFolder === null
      ? connect({ host: target.hostname, port: Number(target.port || 5432) })
      : connect(`${socketFolder}/.s.PGSQL.${target.port || 5432}`);
  const pairs = new Set<{ near: Socket; far: Socket; said: string }>();
  let isPaused = false;

  const server = createServer((near) => {
    const far = open();
    const pair = { near, far, said: "" };
    pairs.add(pair);
    near.on("data", (chunk: Buffer) => (pair.said = `${pair.said}${chunk.toString("latin1")}`.slice(-100_000)));
    near.pipe(far);
    far.pipe(near);
    if (isPaused) silence(pair);
    const end = (): void => {
      pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) socket.on("close", end).on("error", end);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  function silence({ near, far }: { near: Socket; far: Socket }): void {
    near.unpipe(far).pause();
    far.unpipe(near).pause();
  }

  const url = new URL(databaseUrl);
  url.search = "";
  url.hostname = "127.0.0.1";
  url.port = String((server.address() as AddressInfo).port);

  return {
    url: url.toString(),
    pause() {
      isPaused = true;
      for (const pair of pairs) silence(pair);
    },
    resume() {
      isPaused = false;
      for (const { near, far } of pairs) {
        near.pipe(far);
        far.pipe(near);
      }
    },
    cut(text) {
      const found = [...pairs].filter(({ said }) => said.includes(text));
      for (const { near, far } of found) {
        near.destroy();
        far.destroy();
      }
      return found.length;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const { near, far } of pairs) {
        near.destroy();
        far.destroy();
      }
    },
  };
}
