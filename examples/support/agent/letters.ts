/** The few sentences that this agent can write, in the languages of Northwind's customers. */
type Letters = {
  greeting: (name: string) => string;
  article: string;
  refunded: (amount: string) => string;
  detail: string;
  closing: string;
};

const english: Letters = {
  greeting: (name) => `Dear ${name},`,
  article: "thank you for your message. This article answers it:",
  refunded: (amount) =>
    `we have paid back ${amount} to the card that paid. It takes three to five working days to arrive. We are sorry for the trouble.`,
  detail: "thank you for your message. Could you tell us the date, the amount and the number of the invoice that it is about?",
  closing: "Kind regards\nNorthwind Support",
};

const letters: Record<string, Letters> = {
  en: english,
  de: {
    greeting: (name) => `Guten Tag ${name},`,
    article: "danke für Ihre Nachricht. Dieser Artikel beantwortet sie:",
    refunded: (amount) =>
      `wir haben ${amount} auf die Karte zurückgezahlt, mit der bezahlt wurde. Bis das Geld da ist, dauert es drei bis fünf Werktage.`,
    detail: "danke für Ihre Nachricht. Können Sie uns Datum, Betrag und Rechnungsnummer nennen?",
    closing: "Freundliche Grüße\nNorthwind Support",
  },
  fr: {
    greeting: (name) => `Bonjour ${name},`,
    article: "merci de votre message. Cet article y répond :",
    refunded: (amount) => `nous avons remboursé ${amount} sur la carte utilisée. Comptez trois à cinq jours ouvrés.`,
    detail: "merci de votre message. Pourriez-vous nous indiquer la date, le montant et le numéro de la facture ?",
    closing: "Cordialement\nNorthwind Support",
  },
  es: {
    greeting: (name) => `Hola, ${name}:`,
    article: "gracias por su mensaje. Este artículo lo explica:",
    refunded: (amount) => `hemos devuelto ${amount} a la tarjeta con la que se pagó. Tarda de tres a cinco días laborables.`,
    detail: "gracias por su mensaje. ¿Nos puede indicar la fecha, el importe y el número de la factura?",
    closing: "Un saludo\nNorthwind Support",
  },
  pl: {
    greeting: (name) => `Dzień dobry, ${name},`,
    article: "dziękujemy za wiadomość. Odpowiedź znajduje się w tym artykule:",
    refunded: (amount) => `zwróciliśmy ${amount} na kartę, którą zapłacono. Zwrot dotrze w ciągu trzech do pięciu dni roboczych.`,
    detail: "dziękujemy za wiadomość. Czy możemy prosić o datę, kwotę i numer faktury?",
    closing: "Z pozdrowieniami\nNorthwind Support",
  },
  ja: {
    greeting: (name) => `${name} 様`,
    article: "お問い合わせありがとうございます。こちらの記事をご覧ください。",
    refunded: (amount) => `お支払いのカードに ${amount} を返金いたしました。反映まで3〜5営業日ほどかかります。`,
    detail: "お問い合わせありがとうございます。日付、金額、請求書番号をお知らせいただけますでしょうか。",
    closing: "Northwind サポート",
  },
};

export type LetterBody =
  | { about: "article"; title: string; url: string; quote: string }
  | { about: "refund"; amount: string }
  | { about: "detail" };

export function letter(language: string, name: string, body: LetterBody): string {
  const words = letters[language] ?? english;
  const middle =
    body.about === "article"
      ? `${words.article}\n\n${body.title}\n${body.url}\n"${body.quote}"`
      : body.about === "refund"
        ? words.refunded(body.amount)
        : words.detail;
  return `${words.greeting(name)}\n\n${middle}\n\n${words.closing}`;
}
