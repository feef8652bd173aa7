import { createServer } from "node:net";

/**
 * Where a server listens and how others reach it. Asked for before it listens, for what it serves names its own address; so where any port
 * will do, a free one is looked for.
 */
export async function serverAddress(options: {
  host: string;
  port: number;
  publicUrl?: string;
}): Promise<{ port: number; localUrl: URL; publicUrl: URL }> {
  const port = options.port === 0 ? await freePort(options.host) : options.port;
  const localUrl = new URL(`http://${reachableHost(options.host)}:${port}`);
  return { port, localUrl, publicUrl: new URL(options.publicUrl ?? localUrl) };
}

/** As a part of an address. Who listens on every address is reached on loopback. */
function reachableHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

async function freePort(host: string): Promise<number> {
  return new Promise((found, failed) => {
    const server = createServer();
    server.once("error", failed);
    server.listen({ host, port: 0 }, () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address !== null ? found(address.port) : failed(new Error("no port"))));
    });
  });
}
