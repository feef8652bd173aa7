import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Line = AsyncDisposable & { url: string; cut(): Promise<void>; mend(): Promise<void> };

/** A line to a database that can be cut: what a server sees when the database goes away and comes back. */
export async function openLine(url: string): Promise<Line> {
  const to = new URL(url);
  const port = to.port === "" ? 5432 : Number(to.port);
  const folder = to.searchParams.get("host");
  const near = await mkdtemp(join(tmpdir(), "remit-line-"));
  const sockets = new Set<Socket>();
  let server: Server | null = null;

  function carry(from: Socket): void {
    const far = folder === null ? connect(port, to.hostname) : connect(join(folder, `.s.PGSQL.${port}`));
    for (const [one, other] of [
      [from, far],
      [far, from],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on("error", () => {});
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  }

  async function mend(): Promise<void> {
    server = createServer(carry).listen(join(near, `.s.PGSQL.${port}`));
    await once(server, "listening");
  }

  async function cut(): Promise<void> {
    if (server === null) return;
    const closed = once(server, "close");
    server.close();
    server = null;
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  await mend();
  const through = new URL(url);
  through.searchParams.set("host", near);
  return {
    url: through.toString(),
    cut,
    mend,
    [Symbol.asyncDispose]: async () => {
      await cut();
      await rm(near, { recursive: true });
    },
  };
}
