/*
 * Runs inside a sandbox, with nothing but node's own modules in reach: listens on that network's loopback addresses and carries
 * what comes to the sockets that lead out. It has no more rights than the program beside it, and decides nothing.
 * Arguments: address, port, socket; address, port, socket; …
 */
import { connect, createServer } from "node:net";

const words = process.argv.slice(2);
for (let index = 0; index + 2 < words.length; index += 3) {
  const [address = "", port = "", path = ""] = words.slice(index, index + 3);
  const server = createServer({ allowHalfOpen: true }, (inside) => {
    const outside = connect({ path, allowHalfOpen: true });
    inside.pipe(outside);
    outside.pipe(inside);
    inside.on("error", () => outside.destroy());
    outside.on("error", () => inside.destroy());
    inside.once("close", () => outside.destroy());
    outside.once("close", () => inside.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    // Where IPv6 is switched off, `localhost` is 127.0.0.1 alone.
    server.once("error", (error) => (address === "::1" ? resolve() : reject(error)));
    server.listen({ host: address, port: Number(port) }, resolve);
  });
}
process.stdout.end("ready\n");
