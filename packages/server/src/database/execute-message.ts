/** Parameters as PostgreSQL takes them: a string in the words of its type, bytes in its binary form. */
export type Parameter = string | Buffer | null;

/** A prepared statement's use. `describe`: its columns are asked for. */
export type Execution = { name: string; values: readonly Parameter[]; describe: boolean };

/**
 * Executions one after the other, and what ends them, as PostgreSQL reads them (Bind, Describe, Execute; Sync). In one buffer, whose size
 * is counted first: pieces would each be allocated, copied when they have grown, and gathered again by whoever writes them.
 */
export function executeMessage(executions: readonly Execution[], sync: boolean): Buffer {
  const sizes = executions.map(sizeOfBind);
  let length = sync ? syncMessage.length : 0;
  for (const [index, { describe }] of executions.entries()) {
    length += (sizes[index] ?? 0) + (describe ? describePortal.length : 0) + executePortal.length;
  }
  const bytes = Buffer.allocUnsafe(length);
  let end = 0;
  for (const [index, execution] of executions.entries()) {
    end = writeBind(bytes, end, sizes[index] ?? 0, execution);
    if (execution.describe) end += describePortal.copy(bytes, end);
    end += executePortal.copy(bytes, end);
  }
  if (sync) syncMessage.copy(bytes, end);
  return bytes;
}

const describePortal = Buffer.from("D\0\0\0\x06P\0", "latin1");
/** All rows. */
const executePortal = Buffer.from("E\0\0\0\x09\0\0\0\0\0", "latin1");
const syncMessage = Buffer.from("S\0\0\0\x04", "latin1");

function sizeOfBind({ name, values }: Execution): number {
  // Its letter and length, two names, the numbers of formats, of values and of formats of what is answered; a format for each value.
  let size = 5 + 1 + Buffer.byteLength(name) + 1 + 6 + 2 * values.length;
  for (const value of values) size += 4 + (value === null ? 0 : Buffer.byteLength(value));
  return size;
}

function writeBind(bytes: Buffer, start: number, size: number, { name, values }: Execution): number {
  let end = bytes.writeUInt8(0x42, start);
  end = bytes.writeInt32BE(size - 1, end);
  // The portal has no name.
  end = bytes.writeUInt8(0, end);
  end += bytes.write(name, end);
  end = bytes.writeUInt8(0, end);
  end = bytes.writeUInt16BE(values.length, end);
  for (const value of values) end = bytes.writeInt16BE(Buffer.isBuffer(value) ? 1 : 0, end);
  end = bytes.writeUInt16BE(values.length, end);
  for (const value of values) {
    const at = end + 4;
    if (value === null) end = at;
    else end = at + (typeof value === "string" ? bytes.write(value, at) : value.copy(bytes, at));
    bytes.writeInt32BE(value === null ? -1 : end - at, at - 4);
  }
  // What is answered comes in words.
  return bytes.writeInt16BE(0, end);
}
