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

/** Programs that go to the hosts that they are given, and their options whose next word is no host. */
const reaching: ReadonlyMap<string, { all: boolean; values: string }> = new Map([
  ...["curl", "wget", "http", "https", "xh", "aria2c", "lynx", "w3m"].map((name) => [name, { all: true, values: "" }] as const),
  ["curl", { all: true, values: "bcdDEFHmoPQrtTuUwXyYzACe" }],
  ["wget", { all: true, values: "oOPQtTwaABDilRUX" }],
  ["ssh", { all: false, values: "BbcDEeFIilmOopQSwW" }],
  ...["mosh", "telnet", "ftp", "tftp", "nc", "ncat", "netcat", "ping", "ping6", "traceroute", "tracepath", "mtr"].map(
    (name) => [name, { all: false, values: "" }] as const,
  ),
  ...["dig", "host", "nslookup", "drill", "whois", "nmap", "socat", "redis-cli", "mongosh", "psql", "mysql"].map(
    (name) => [name, { all: false, values: "" }] as const,
  ),
]);

const copying: ReadonlySet<string> = new Set(["scp", "sftp", "rsync", "rclone"]);

/** The hosts that a program goes to because of what it is, where its words are not addresses: `curl evil.example`. */
export function hostsGiven(program: string, words: readonly string[]): string[] {
  const known = reaching.get(program);
  if (known === undefined) {
    if (!copying.has(program)) return [];
    return words.flatMap((text) => remoteOf(text) ?? []);
  }
  // Ports and counts are no hosts.
  const operands = operandsOf(words, known.values).filter((text) => known.all || !/^\d{1,5}$/.test(text));
  return operands.flatMap((text, index) => {
    const bare = text.replace(/^@/, "").replace(/^[^/@]*@/, "");
    const isDotted = /^[\w-]+(?:\.[\w-]+)+\.?(?:[:/?#]|$)/.test(bare);
    if ((!known.all && index > 0 && !isDotted) || /^[./~+]/.test(bare) || bare.includes("://")) return [];
    const address = `http://${bare}`;
    return URL.canParse(address) ? [new URL(address).hostname.replace(/^\[|\]$/g, "")] : [];
  });
}

/** The host of the repository that git is given; what comes after it is names of branches. */
export function hostOfRepository(subcommand: string | undefined, operands: readonly string[]): string | null {
  if (subcommand === "remote") return operands.map(remoteOf).find((host) => host !== null) ?? null;
  return /^(?:clone|fetch|pull|push|ls-remote)$/.test(subcommand ?? "") ? remoteOf(operands[0] ?? "") : null;
}

/** The host of `host:path` and `user@host:path`. */
function remoteOf(text: string): string | null {
  return /^(?:[\w.+-]+@)?([\w.-]+):(?!\/\/)/.exec(text)?.[1]?.toLowerCase() ?? null;
}

/** Words that are neither options nor the values of these. */
function operandsOf(words: readonly string[], values: string): string[] {
  const operands: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const text = words[at] ?? "";
    if (!text.startsWith("-") || text === "-") {
      operands.push(text);
      continue;
    }
    if (text.startsWith("--")) {
      if (/^--(?:output|data|data-raw|data-binary|header|request|user|user-agent|output-document|method|body-data)$/.test(text)) at += 1;
      continue;
    }
    // The first letter that takes a value takes the rest of the word, or the next word.
    const taking = text
      .slice(1)
      .split("")
      .findIndex((letter) => values.includes(letter));
    if (taking === text.length - 2) at += 1;
  }
  return operands;
}
