/** One document to fetch from an address that somebody else chose. */
export type OutboundRequest = {
  /** `https:`, without credentials and fragment. */
  url: string;
  /** Default `GET`. What has a body is never redirected. */
  method?: "GET" | "HEAD" | "POST";
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** Only the status matters: the body is not read, whatever its type and size. */
  statusOnly?: true;
  /** Media types that are taken, such as `application/json`; one that begins with `+` is a suffix: `+json`. */
  accept: readonly string[];
  /** Of the body, decompressed. Default 1 MiB. */
  maxBytes?: number;
  /** For everything together: name, connection, redirects, body. Default 5,000. */
  timeoutMs?: number;
  /** How many redirects are followed, each checked as the first address was. Default 0: a redirect is refused. */
  maxRedirects?: number;
  signal?: AbortSignal;
};

/** Why a document was not fetched. `address`, `url` and `redirect` mean that nothing was sent there. */
export type OutboundRefusal = "url" | "address" | "redirect" | "unreachable" | "timeout" | "too-large" | "media-type" | "encoding";

export type OutboundResult =
  /** Whatever the status; an error's body is there if it is of a type that is taken, else empty. `url` is where the document was found in the end; header names are lower case. */
  | { type: "fetched"; url: string; status: number; mediaType: string; headers: Readonly<Record<string, string>>; body: Buffer }
  /** `reason` is a sentence for people; it names no address that the caller did not write. */
  | { type: "refused"; refusal: OutboundRefusal; reason: string };

/** The one way to fetch a URL on somebody's word. It reaches the Internet only, and nothing inside of the network that Remit runs in. */
export type Outbound = { fetch(request: OutboundRequest): Promise<OutboundResult> };
