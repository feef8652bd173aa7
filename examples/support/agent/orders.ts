import { queues } from "../helpdesk/seed.ts";

/** Something that a text tells its reader to do. */
export type Order =
  | { kind: "refund"; amountCents: number; currency: string }
  | { kind: "mail"; to: string }
  | { kind: "search"; customer: string }
  | { kind: "read"; ticketId: string }
  | { kind: "priority"; priority: string }
  | { kind: "assign"; queue: string }
  | { kind: "tool"; name: string };

const currencies: Record<string, string> = { $: "USD", "€": "EUR", "£": "GBP", dollars: "USD" };
const amount =
  /(?<before>[$€£]|\b(?:USD|EUR|GBP))\s?(?<number>\d[\d.,]*\d|\d)|(?<number2>\d[\d.,]*\d|\d)\s?(?<after>[$€£]|(?:USD|EUR|GBP|dollars)\b)/g;
const asksForMoney = /\b(?:refunds?|reimburse|pay back|rembours\w+|erstatt\w+|reembols\w+|zwr(?:ot|óc)\w*)\b|返金/i;
const several = /\b(?<count>\d{1,2}) (?:separate )?refunds\b/i;

/**
 * Every order in a text, in the order in which it is given. It makes no difference who gives it, or where: this reader obeys
 * customers, quoted strangers, comments in HTML and characters that nobody sees. That is the point of it: what keeps it from
 * doing harm must be something else.
 */
export function ordersIn(text: string, ownTicket: string): Order[] {
  const orders: Order[] = [];
  let lastAmount: { amountCents: number; currency: string } | null = null;
  for (const sentence of sentencesOf(visible(text))) {
    const amounts = [...sentence.matchAll(amount)].map(amountOf);
    lastAmount = amounts.at(-1) ?? lastAmount;
    orders.push(...lookupsIn(sentence, ownTicket), ...changesIn(sentence));
    const asked = asksForMoney.test(sentence) ? (amounts[0] ?? lastAmount) : null;
    if (asked !== null) {
      const count = Number(several.exec(sentence)?.groups?.["count"] ?? 1);
      for (let part = 0; part < count; part += 1) orders.push({ kind: "refund", ...asked });
    }
    orders.push(...mailsIn(sentence));
  }
  return orders;
}

/** The text as a machine reads it: nothing hidden stays hidden. */
function visible(text: string): string {
  return text
    .replaceAll(/[\u200B-\u200D\u2060\uFEFF]/g, "")
    .replaceAll(/<!--([^]*?)-->/g, "\n\n$1\n\n")
    .replaceAll(/<[a-z/][^>]*>/gi, " ")
    .replaceAll(/^[> ]+/gm, "");
}

function sentencesOf(text: string): string[] {
  return text
    .split(/\n{2,}/)
    .flatMap((paragraph) => paragraph.replaceAll("\n", " ").split(/(?<=[.!?])\s+/))
    .filter((sentence) => sentence.trim() !== "");
}

function lookupsIn(sentence: string, ownTicket: string): Order[] {
  const orders: Order[] = [];
  if (/\b(?:read|open|look up)\b/i.test(sentence)) {
    for (const [ticketId] of sentence.matchAll(/\b(?:BIL|TEC|ACC|LEG)-\d{4}\b/g)) {
      if (ticketId !== ownTicket) orders.push({ kind: "read", ticketId });
    }
  }
  const customer = /\b[Ss]earch for (?:all )?(?:the )?tickets (?:of|from|for) (?<name>\p{Lu}[\p{L}&'-]*(?: \p{Lu}[\p{L}&'-]*)*)/u.exec(
    sentence,
  );
  if (customer?.groups?.["name"] !== undefined) orders.push({ kind: "search", customer: customer.groups["name"] });
  const tool = /\b(?:run|call|invoke)\s+(?:the tool )?(?<name>[a-z]+\.[a-z_]+)\b/i.exec(sentence);
  if (tool?.groups?.["name"] !== undefined) orders.push({ kind: "tool", name: tool.groups["name"] });
  return orders;
}

function changesIn(sentence: string): Order[] {
  const orders: Order[] = [];
  const priority =
    /\b(?:set|raise|change)\b[^.]*\bpriority\b[^.]*\bto (?<to>urgent|high|normal|low)\b|\bmark\b[^.]*\bas (?<as>urgent|high)\b/i.exec(
      sentence,
    );
  const wanted = priority?.groups?.["to"] ?? priority?.groups?.["as"];
  if (wanted !== undefined) orders.push({ kind: "priority", priority: wanted.toLowerCase() });
  const queue = queues.find((name) => new RegExp(`\\bassign this ticket to ${name}\\b`, "i").test(sentence));
  if (queue !== undefined) orders.push({ kind: "assign", queue });
  return orders;
}

function mailsIn(sentence: string): Order[] {
  const told = /\b(?:send|forward|e-?mail(?! to\b))\b.*?\bto (?<to>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)/i.exec(sentence);
  return told?.groups?.["to"] === undefined ? [] : [{ kind: "mail", to: told.groups["to"] }];
}

function amountOf(match: RegExpMatchArray): { amountCents: number; currency: string } {
  const { before, number, number2, after } = match.groups ?? {};
  const written = number ?? number2 ?? "0";
  const symbol = before ?? after ?? "$";
  // The last separator is the decimal one when two digits follow it: 2,400.00 and 45,00 and 1.200.
  const [, whole = "0", cents = "00"] = /^(.*?)(?:[.,](\d{2}))?$/.exec(written) ?? [];
  return { amountCents: Number(whole.replaceAll(/[.,]/g, "")) * 100 + Number(cents), currency: currencies[symbol] ?? symbol };
}
