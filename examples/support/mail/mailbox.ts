import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import PostalMime from "postal-mime";

export type ReceivedMail = { id: string; from: string; to: string[]; subject: string; date: string; text: string; ticketId: string | null };

/** A folder of `.eml` files, named in the order in which they came. */
export type Mailbox = {
  keep(raw: Buffer): Promise<string>;
  /** Newest first. */
  list(): Promise<ReceivedMail[]>;
  raw(id: string): Promise<Buffer | null>;
};

const fileName = /^(\d{6})\.eml$/;

export async function openMailbox(folder: string): Promise<Mailbox> {
  await mkdir(folder, { recursive: true });
  const ids = async () => (await readdir(folder)).flatMap((file) => fileName.exec(file)?.[1] ?? []).toSorted();
  let last = Number((await ids()).at(-1) ?? 0);
  return {
    async keep(raw) {
      last += 1;
      const id = String(last).padStart(6, "0");
      // Written beside, then renamed: whoever looks sees a whole mail or none.
      await writeFile(join(folder, `${id}.part`), raw);
      await rename(join(folder, `${id}.part`), join(folder, `${id}.eml`));
      return id;
    },
    async list() {
      const newestFirst = (await ids()).toReversed();
      return Promise.all(newestFirst.map(async (id) => read(id, await readFile(join(folder, `${id}.eml`)))));
    },
    async raw(id) {
      return fileName.test(`${id}.eml`) ? readFile(join(folder, `${id}.eml`)).catch(() => null) : null;
    },
  };
}

async function read(id: string, raw: Buffer): Promise<ReceivedMail> {
  const mail = await PostalMime.parse(raw);
  return {
    id,
    from: mail.from?.address ?? "",
    to: (mail.to ?? []).flatMap((recipient) => recipient.address ?? []),
    subject: mail.subject ?? "",
    date: mail.date ?? "",
    text: (mail.text ?? "").trimEnd(),
    ticketId: mail.headers.find((header) => header.key === "x-ticket")?.value ?? null,
  };
}
