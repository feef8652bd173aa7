import { signingKeyContext } from "../keys/key-store.ts";
import { heldKeyContext, payloadKeyContext } from "../ledger/payload-key-names.ts";
import { clientPlace, consentPlace, grantPlace } from "../secret/grant-places.ts";
import { secretKeyContext } from "../secret/secret-envelope.ts";
import { secretPlace } from "../secret/secret.service.ts";
import { webhookSecretPlace } from "../stream/webhook-secrets.ts";

/** A row with its key's columns, and the others that its context needs. */
export type SealedRow = Record<string, string | number | Buffer | null>;

/** Where something stands that the master key itself has sealed. */
export type SealedColumn = {
  relation: string;
  /** The primary key: column and type. */
  key: Readonly<Record<string, "text" | "integer" | "bytea">>;
  also?: readonly string[];
  column: string;
  /** What it was sealed as. */
  context: (row: SealedRow) => string;
  /** The master key has sealed only the key at its beginning; the rest is under that. */
  isEnvelope?: true;
};

const text = (value: SealedRow[string] | undefined): string => String(value);
const number = (value: SealedRow[string] | undefined): number => Number(value);

const secret = (place: (row: SealedRow) => string): Pick<SealedColumn, "column" | "context" | "isEnvelope"> => ({
  column: "sealed",
  isEnvelope: true,
  context: (row) => secretKeyContext(place(row)),
});

/** Every one that there is. What is derived from the master key besides: `data_subject.lookup` and `ledger_key_set.code`. */
export const sealedColumns: readonly SealedColumn[] = [
  {
    relation: "signing_key",
    key: { name: "text", version: "integer" },
    column: "sealed",
    context: ({ name, version }) => signingKeyContext(text(name), number(version)),
  },
  { relation: "payload_key", key: { subject: "text" }, column: "wrapped", context: ({ subject }) => payloadKeyContext(text(subject)) },
  {
    relation: "held_payload_key",
    key: { entry_id: "text", name: "text" },
    column: "wrapped",
    context: ({ entry_id, name }) => heldKeyContext(text(entry_id), text(name)),
  },
  {
    relation: "secret_version",
    key: { path: "text", version: "integer" },
    ...secret(({ path, version }) => secretPlace(text(path), number(version))),
  },
  {
    relation: "credential_grant",
    key: { credential: "text", upstream: "text", person: "text" },
    also: ["version"],
    ...secret(({ credential, upstream, person, version }) =>
      grantPlace({ credential: text(credential), upstream: text(upstream), person: text(person) }, number(version)),
    ),
  },
  {
    relation: "credential_client",
    key: { credential: "text", issuer: "text", redirect_uri: "text" },
    ...secret(({ credential, issuer }) => clientPlace(text(credential), text(issuer))),
  },
  {
    relation: "credential_consent",
    key: { state_hash: "bytea" },
    ...secret(({ state_hash }) => consentPlace(state_hash as Buffer)),
  },
  {
    relation: "webhook_secret",
    key: { webhook_id: "text", version: "integer" },
    ...secret(({ webhook_id, version }) => webhookSecretPlace(text(webhook_id), number(version))),
  },
];
