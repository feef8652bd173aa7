import { link, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { RemitError } from "@remit/contract";
import { makeMasterKey, masterKeyFile, masterKeyVariable, parseMasterKey, readMasterKey } from "../keys/master-key.ts";
import type { MasterKey } from "../keys/master-key.ts";

const nextKeyFile = `${masterKeyFile}.next`;
export const nextKeyVariable = "REMIT_NEXT_MASTER_KEY";

export type KeyChange = {
  from: MasterKey;
  to: MasterKey;
  /** After the database has committed: the new key takes the old one's place. The file that the old one is kept in; null where it is in no file. */
  replace(): Promise<string | null>;
};

/**
 * The master key in force and the one to come: both from the environment, or both in the data folder, where the next one is made and kept
 * until the database is sealed with it. A rotation that was cut short goes on with the key that it had.
 * @throws RemitError `invalid-configuration`
 */
export async function openKeyChange(from: {
  environment: Readonly<Record<string, string | undefined>>;
  dataDirectory: string;
  now: () => Date;
}): Promise<KeyChange> {
  const { environment, dataDirectory } = from;
  const given = environment[masterKeyVariable] ?? "";
  const next = environment[nextKeyVariable] ?? "";
  if ((given === "") !== (next === "")) {
    throw refuse(
      given === ""
        ? `${nextKeyVariable} is for a master key in ${masterKeyVariable}; this one is in the data folder, where the next is made too`
        : `The master key is in ${masterKeyVariable}: put the new one (openssl rand -base64 32) into ${nextKeyVariable}, and keep it safe first`,
    );
  }
  if (given !== "") {
    return {
      from: parseMasterKey(given, masterKeyVariable),
      to: parseMasterKey(next, nextKeyVariable),
      replace: async () => null,
    };
  }
  const [file, nextFile] = [join(dataDirectory, masterKeyFile), join(dataDirectory, nextKeyFile)];
  const old = await readMasterKey({ environment: {}, dataDirectory });
  if (old === null) throw refuse(`There is no master key in ${dataDirectory}; name the data folder with --data-dir`);
  return {
    from: old,
    to: await makeMasterKey(dataDirectory, nextKeyFile),
    async replace() {
      const kept = `${file}.until-${from.now().toISOString().replace(/[:.]/g, "-")}`;
      // There is a key at every moment, whatever happens in between.
      await link(file, kept);
      await rename(nextFile, file);
      const folder = await open(dataDirectory, "r");
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
      return kept;
    },
  };
}

function refuse(message: string): RemitError {
  return new RemitError("invalid-configuration", message, { issues: [{ message }] });
}
