/** Text in what a tool says of itself that speaks to a model instead of about the tool. */
export type InstructionLike = { rule: string; quote: string };

/**
 * What published attacks by tool descriptions have in common. It is a net with wide meshes, made to let descriptions of honest tools
 * through: what it catches is shown to a person, who may accept it; what it does not catch is still pinned, and blocked when it changes.
 */
const rules: readonly { rule: string; pattern: RegExp }[] = [
  {
    rule: "it takes back what the model was told",
    pattern:
      /\b(?:ignore|disregard|forget|override|bypass)\b[^.;]{0,30}\b(?:previous|prior|above|earlier|preceding|system|safety|all other|your)\b[^.;]{0,20}\b(?:instructions?|prompts?|rules?|messages?|guidelines?|directions?|polic(?:y|ies))\b/,
  },
  {
    rule: "it is marked up as a message of somebody else",
    pattern:
      /<\/?(?:important|system|secret|critical|instructions?|admin|hidden|assistant|user)>|\[\/?inst\]|<\|[a-z_]{2,20}\|>|^\s{0,3}(?:###?\s{0,3})?(?:system|assistant)\s{0,3}:|<!--/m,
  },
  {
    rule: "it wants something kept from people",
    pattern:
      /\b(?:do not|don't|never|must not|should not|without)\b[^.;]{0,25}\b(?:tell(?:ing)?|mention(?:ing)?|inform(?:ing)?|reveal(?:ing)?|notify(?:ing)?|show(?:ing)?|disclos(?:e|ing)|ask(?:ing)?|alert(?:ing)?)\b[^.;]{0,30}\b(?:users?|humans?|person|people|operators?|anyone|anybody)\b|\b(?:user|human|operator)\b[^.;]{0,20}\b(?:must not|should not|cannot|may not)\b[^.;]{0,15}\b(?:know|see|notice|be (?:told|informed))\b/,
  },
  {
    rule: "it sends the model after secrets",
    pattern:
      /\b(?:read|open|cat|load|fetch|include|copy|pass|send|upload|attach|append)\b[^.;]{0,80}(?:~?\/\.(?:ssh|aws|cursor|kube|gnupg|netrc|npmrc|docker)|\bid_(?:rsa|ed25519)\b|\bmcp\.json\b|\/etc\/(?:passwd|shadow)\b|\.env\b(?! variable))/,
  },
  {
    rule: "it wants what was said elsewhere sent along",
    pattern:
      /\b(?:send|pass|include|forward|copy|attach|append|put|repeat|provide|return)\b[^.;]{0,50}\b(?:system prompt|(?:entire|full|whole|complete|previous|all)[^.;]{0,20}(?:conversation|chat|context|messages?|history))\b/,
  },
  {
    rule: "it says how other tools are to be used",
    pattern:
      /\b(?:when|whenever|if|before|after|every time)\b[^.;]{0,40}(?<!\bthis )\b(?:other |another |any )?tools?\b(?: \S+)? (?:is|are|gets?)\b[^.;]{0,20}\b(?:called|used|invoked|available|present)\b[^.;]{0,120}\b(?:must|always|instead|bcc|redirect|change)\b|\b(?:all|every|any) (?:e-?mails?|messages?|payments?|transfers?|refunds?)\b[^.;]{0,40}\b(?:must|always)\b[^.;]{0,40}\b(?:to|bcc|cc)\b/,
  },
  { rule: "it hides something in an encoding", pattern: /[a-z0-9+/]{160,}={0,2}/ },
];

/** The first thing in a text that reads like an instruction to a model, or null. */
export function instructionLike(text: string): InstructionLike | null {
  // Letters that only look like others, and spaces that break up words, are the first thing that somebody tries.
  const plain = text
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll("’", "'")
    .replace(/[^\S\n]+/g, " ");
  for (const { rule, pattern } of rules) {
    const match = pattern.exec(plain) ?? pattern.exec(plain.replaceAll("\n", " "));
    if (match !== null) return { rule, quote: match[0].trim().slice(0, 160) };
  }
  return null;
}
