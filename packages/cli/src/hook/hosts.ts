/** The hosts that a word may name: of an address, of `user@host:path`, or on its own where it looks like one. */
export function hostsOf(text: string): string[] {
  const found = new Set<string>();
  for (const [address] of text.matchAll(/[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi)) {
    const host = URL.canParse(address) ? new URL(address).hostname : "";
    if (host !== "") found.add(host.replace(/^\[|\]$/g, "").toLowerCase());
  }
  const remote = /^[\w.+-]+@([\w.-]+)(?::|$)/.exec(text)?.[1] ?? /^([\w-]+(?:\.[\w-]+)+):(?!\/\/)[^\s]*$/.exec(text)?.[1];
  if (remote !== undefined) found.add(remote.toLowerCase());
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text) || text === "localhost") found.add(text);
  return [...found];
}
