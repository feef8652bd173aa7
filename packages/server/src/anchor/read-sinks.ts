import { isAbsolute } from "node:path";
import { RemitError } from "@remit/contract";
import { fileSink } from "./file-sink.ts";
import { gitSink } from "./git-sink.ts";
import type { Sink } from "./sink.ts";

/** Where checkpoints are kept besides: of whoever runs the machine, since a path that somebody could set over the network would be a way to write anywhere. */
export const sinksVariable = "REMIT_LEDGER_SINKS";

/** `file:/path` and `git:/path[#branch][@remote]`, with commas between them. @throws RemitError `invalid-configuration` */
export function readSinks(environment: Readonly<Record<string, string | undefined>>): Sink[] {
  const texts = (environment[sinksVariable] ?? "")
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "");
  return texts.map((text) => {
    const [, kind, path = "", branch, remote] =
      /^(file|git):([^#@,\0]+)(?:#([A-Za-z0-9][A-Za-z0-9._/-]*))?(?:@([A-Za-z0-9][A-Za-z0-9._-]*))?$/.exec(text) ?? [];
    const isRight =
      kind === "git" ? !/\.\.|\/\/|\/$|\.lock/.test(branch ?? "") : kind === "file" && branch === undefined && remote === undefined;
    if (!isRight || !isAbsolute(path)) {
      throw new RemitError(
        "invalid-configuration",
        `${sinksVariable}: "${text}" is neither file:/absolute/path nor git:/absolute/path[#branch][@remote]`,
      );
    }
    if (kind === "file") return fileSink(path);
    return gitSink({ repository: path, ...(branch === undefined ? {} : { branch }), ...(remote === undefined ? {} : { remote }) });
  });
}
