/** What secrets of well-known makers look like. Each is anchored by a prefix that nothing else has. */
const known: readonly [string, RegExp][] = [
  ["a private key", /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  ["a GitHub token", /\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})/],
  ["a GitLab token", /\bglpat-[A-Za-z0-9_-]{15,}/],
  ["a Slack token", /\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}|hooks\.slack\.com\/services\/T/],
  ["a key of a model provider", /\bsk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{16,}/],
  ["a Stripe key", /\b[rs]k_(?:live|test)_[A-Za-z0-9]{10,}|\bwhsec_[A-Za-z0-9]{16,}/],
  ["an AWS access key", /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/],
  ["a Google key", /\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{20,}/],
  ["an npm token", /\bnpm_[A-Za-z0-9]{30,}/],
  ["a Vault token", /\bhv[sbr]\.[A-Za-z0-9_-]{20,}/],
  ["a JSON Web Token", /\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\./],
  ["a URL with a password", /\b[a-z][a-z0-9+.-]{0,40}:\/\/[^\s/:@]+:[^\s/@]+@/i],
  ["an authorization header", /\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{12,}/i],
];

const secretName =
  /(?:^|_)(?:token|tokens|secret|secrets|password|passwd|pass|pwd|passphrase|apikey|api_key|access_key|secret_key|private_key|signing_key|encryption_key|account_key|license_key|auth_key|credential|credentials|authorization|bearer|pat)$/;
const vagueName = /(?:^|_)key$/;
const plainValue = /^(?:|true|false|yes|no|on|off|none|null|\d{1,6}|[A-Za-z]{1,5})$/;

/**
 * Why a setting must not stand in a file: it looks like a secret, by its name or by itself. Null where it does not. What it says never
 * repeats the value. It errs on the side of asking: a secret in a repository is there for good.
 */
export function secretFault(name: string, value: string): string | null {
  const looks = known.find(([, pattern]) => pattern.test(value));
  if (looks !== undefined) return `looks like ${looks[0]}`;
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .toLowerCase();
  if (secretName.test(words) && !plainValue.test(value)) return "has the name of a secret";
  if (vagueName.test(words) && isRandom(value)) return "looks like a key";
  return null;
}

/** Long, of one piece, and of more kinds of characters than words have. */
function isRandom(value: string): boolean {
  if (!/^[A-Za-z0-9+/=_-]{20,}$/.test(value)) return false;
  return [/[a-z]/, /[A-Z]/, /\d/].filter((kind) => kind.test(value)).length >= 2;
}
