import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";

type Order = { id: string; item: string; cents: number; state: "open" | "cancelled" };

/** An HTTP API as there are many: it knows nothing of Remit, and lets in whoever has its key. `orders.yaml` describes it. */
export function createOrdersApi(key: string): Server {
  const orders = new Map<string, Order>([
    ["1001", { id: "1001", item: "A desk lamp", cents: 4900, state: "open" }],
    ["1002", { id: "1002", item: "A standing desk", cents: 61_000, state: "open" }],
  ]);

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const say = (status: number, body: unknown) =>
      void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (request.headers["x-api-key"] !== key) return say(401, { error: "a key is needed" });
    const url = new URL(request.url ?? "/", "http://orders");
    const id = /^\/v1\/orders\/([^/]+)$/.exec(url.pathname)?.[1];
    if (id === undefined) {
      const state = url.searchParams.get("state");
      return say(200, { orders: [...orders.values()].filter((order) => state === null || order.state === state) });
    }
    const order = orders.get(decodeURIComponent(id));
    if (order === undefined) return say(404, { error: "there is no such order" });
    if (request.method === "DELETE") orders.set(order.id, { ...order, state: "cancelled" });
    say(200, orders.get(order.id));
  }

  return createServer(answer);
}

if (import.meta.main) {
  createOrdersApi(process.env["ORDERS_KEY"] ?? "open-sesame").listen(8711, "127.0.0.1", () => {
    process.stdout.write("orders at http://127.0.0.1:8711/v1\n");
  });
}
