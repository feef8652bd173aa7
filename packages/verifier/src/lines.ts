import { Refusal } from "./problems.ts";

/** The lines of a file, as many at a time as a piece of it holds. Every line ends in a line feed, the last one too. */
export async function* lineBatches(
  pieces: AsyncIterable<Buffer>,
  { name, most }: { name: string; most: number },
): AsyncGenerator<Buffer[]> {
  let rest: Buffer[] = [];
  let restLength = 0;
  const tooLong = () => new Refusal("tampered", `A line of ${name} has more than ${most} bytes`);
  for await (const piece of pieces) {
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = piece.indexOf(0x0a); end >= 0; end = piece.indexOf(0x0a, start)) {
      const part = piece.subarray(start, end);
      if (restLength + part.length > most) throw tooLong();
      lines.push(restLength === 0 ? part : Buffer.concat([...rest, part]));
      [rest, restLength, start] = [[], 0, end + 1];
    }
    if (start < piece.length) {
      rest.push(piece.subarray(start));
      restLength += piece.length - start;
      if (restLength > most) throw tooLong();
    }
    if (lines.length > 0) yield lines;
  }
  if (restLength > 0) throw new Refusal("incomplete", `The last line of ${name} is cut off`);
}
