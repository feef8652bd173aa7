import { execFileSync, spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { generateKeyPairSync } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkpointText } from "@remit/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { commandSigner } from "./command-signer.ts";
import { signLine } from "./note-signer.ts";

let folder: string;
let programs: Record<string, string>;
const text = checkpointText({ origin: "ledger.example", size: 7, root: Buffer.alloc(32, 7) });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "remit-signer-"));
  const pair = generateKeyPairSync("ed25519");
  await writeFile(join(folder, "key.pem"), pair.privateKey.export({ type: "pkcs8", format: "pem" }));
  await writeFile(join(folder, "public.pem"), pair.publicKey.export({ type: "spki", format: "pem" }));
  await writeFile(join(folder, "public.der"), pair.publicKey.export({ type: "spki", format: "der" }));
  await writeFile(
    join(folder, "public.b64"),
    `${pair.publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("base64")}\n`,
  );
  const program = async (name: string, body: string): Promise<[string, string]> => {
    const file = join(folder, `${name}.mjs`);
    await writeFile(file, `#!${process.execPath}\nimport { readFileSync } from "node:fs";\nimport { sign } from "node:crypto";\n${body}\n`);
    await chmod(file, 0o700);
    return [name, file];
  };
  const signing = "process.stdout.write(sign(null, readFileSync(0), readFileSync(process.argv[2])));";
  programs = Object.fromEntries([
    await program("signs", signing),
    await program("fails", 'process.stderr.write("no token is present\\n"); process.exit(3);'),
    await program("lies", "process.stdout.write(Buffer.alloc(64, 1));"),
    await program("floods", 'for (;;) process.stdout.write("x".repeat(65536));'),
    await program("leaks", "process.stdout.write(JSON.stringify(process.env)); process.exit(0);"),
  ]);
});
afterAll(() => rm(folder, { recursive: true }));

const environment = (command: string, key = "public.pem", more: Record<string, string> = {}) => ({
  PATH: process.env["PATH"],
  REMIT_LEDGER_SIGNER: command,
  REMIT_LEDGER_SIGNER_PUBLIC_KEY: key === "" ? "" : join(folder, key),
  ...more,
});

test.each(["public.pem", "public.der", "public.b64"])("[CTL-07] a program signs checkpoints, and its key is read from %s", async (key) => {
  const signer = await commandSigner(
    environment(`command:${JSON.stringify([programs["signs"], join(folder, "key.pem")])}`, key),
    "ledger.example",
  );
  if (signer === null) throw new Error("no signer");
  await expect(signLine(signer, text, 1)).resolves.toMatchObject({ name: "ledger.example", signature: { length: 64 } });
});

test.each([
  ["fails", /exited with 3: no token is present/],
  ["lies", /did not sign with the private half/],
  ["floods", /writing too much/],
  ["missing", /ENOENT/],
])("a program that %s gives no signature, and says why", async (name, why) => {
  const signer = await commandSigner(environment(`command:${programs[name] ?? join(folder, "nowhere")}`), "ledger.example");
  if (signer === null) throw new Error("no signer");
  await expect(signLine(signer, text, 1)).rejects.toMatchObject({
    code: "ledger-unavailable",
    message: expect.stringMatching(why) as string,
  });
});

test("it is given none of our secrets", async () => {
  const more = { REMIT_MASTER_KEY: "canary", DATABASE_URL: "canary", REMIT_SIGNER_PIN: "1234" };
  const signer = await commandSigner(environment(`command:${programs["leaks"]}`, "public.pem", more), "ledger.example");
  const seen = Buffer.from((await signer?.sign(Buffer.from("x"))) ?? []).toString();
  expect(seen).toContain('"REMIT_SIGNER_PIN":"1234"');
  expect(seen).not.toContain("canary");
});

test.each([
  ["pkcs11:slot=1", "public.pem", /"command:"/],
  ["command:", "public.pem", /names no program/],
  ["command:[1]", "public.pem", /names no program/],
  ["command:[", "public.pem", /not JSON/],
  ["command:true", "", /needs REMIT_LEDGER_SIGNER_PUBLIC_KEY/],
  ["command:true", "key.mjs", /cannot be read/],
  ["command:true", "signs.mjs", /holds no public key/],
])("%s with %s is refused at the start", async (command, key, why) => {
  await expect(commandSigner(environment(command, key), "ledger.example")).rejects.toMatchObject({
    code: "invalid-configuration",
    message: expect.stringMatching(why) as string,
  });
});

test("without the setting nothing else signs", async () => {
  expect(await commandSigner({}, "ledger.example")).toBeNull();
});

const modules = [
  "/usr/lib/softhsm/libsofthsm2.so",
  "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
  "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
];
const hasModule =
  spawnSync("sh", [
    "-c",
    `command -v softhsm2-util && command -v pkcs11-tool && { ${modules.map((path) => `test -e ${path}`).join(" || ")}; }`,
  ]).status === 0;
if (!hasModule) console.log("not run: signing in a PKCS#11 module needs the Debian packages softhsm2 and opensc");

test.skipIf(!hasModule)("[CTL-07] a checkpoint is signed inside a PKCS#11 module whose key never leaves it", async () => {
  const tokens = join(folder, "tokens");
  await mkdir(tokens, { recursive: true });
  const conf = join(folder, "softhsm2.conf");
  await writeFile(conf, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  const env = { ...process.env, SOFTHSM2_CONF: conf };
  const module = modules.find((path) => spawnSync("test", ["-e", path]).status === 0) ?? "";
  const run = (program: string, ...args: string[]) => execFileSync(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  run("softhsm2-util", "--init-token", "--free", "--label", "remit", "--so-pin", "0000", "--pin", "1234");
  const login = ["--module", module, "--token-label", "remit", "--login", "--pin", "1234"];
  run("pkcs11-tool", ...login, "--keypairgen", "--key-type", "EC:edwards25519", "--id", "01", "--label", "ledger");
  // PEM from the releases that are about; the key alone at the end of a DER structure from older ones.
  const published = run("pkcs11-tool", ...login, "--read-object", "--type", "pubkey", "--id", "01");
  const isText = published.toString("latin1").startsWith("-----");
  await writeFile(join(folder, "hsm.pub"), isText ? published : published.subarray(-32).toString("base64"));
  const argv = [
    "pkcs11-tool",
    "--module",
    module,
    "--token-label",
    "remit",
    "--login",
    "--pin",
    "env:REMIT_SIGNER_PIN",
    "--sign",
    "--mechanism",
    "EDDSA",
    "--id",
    "01",
  ];
  const more = { SOFTHSM2_CONF: conf, REMIT_SIGNER_PIN: "1234" };
  const signer = await commandSigner(environment(`command:${JSON.stringify(argv)}`, "hsm.pub", more), "ledger.example");
  if (signer === null) throw new Error("no signer");
  await expect(signLine(signer, text, 1)).resolves.toMatchObject({ signature: { length: 64 } });
});
