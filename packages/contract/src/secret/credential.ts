import { z } from "zod";
import { durationSchema, nameSchema } from "../registry/name.ts";

/** Where a secret is kept: `crm/token`. Revocation takes a prefix of whole segments. */
export const secretPathSchema = z
  .string()
  .max(128)
  .regex(/^[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9][a-z0-9._-]*)*$/, "expected lower-case segments such as crm/token");

const headerNameSchema = z
  .string()
  .max(100)
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, "expected the name of an HTTP header")
  .refine(
    (name) => !/^(?:host|connection|content-length|content-type|transfer-encoding|te|upgrade|accept|mcp-.*)$/i.test(name),
    "this header belongs to the protocol",
  );
const scopeSchema = z.string().regex(/^[\x21\x23-\x5B\x5D-\x7E]{1,200}$/, "expected an OAuth scope, without spaces");
const urlSchema = z.url({ protocol: /^https?$/ });

/** The client that Remit is at an authorization server. Without one it registers itself, where the server lets it. */
const oauthClientSchema = z.strictObject({
  id: z.string().min(1).max(500),
  /** Where its secret, or its private key in PEM (PKCS #8), is kept. A public client has none. */
  secret: secretPathSchema.optional(),
  /** How it proves itself. Default: what the authorization server prefers of the two with a secret. */
  method: z.enum(["client_secret_basic", "client_secret_post", "private_key_jwt"]).optional(),
  /** Of a key: the algorithm that it signs with. */
  algorithm: z.enum(["ES256", "RS256", "PS256", "EdDSA"]).default("ES256"),
});

const oauthSchema = {
  /** The authorization server. Default: what the upstream's own metadata names (RFC 9728). */
  issuer: urlSchema.optional(),
  /** Default: what the upstream asks for. */
  scopes: z.array(scopeSchema).max(50).default([]),
  /** RFC 8707. Default: what the upstream's metadata says, else its URL. */
  resource: urlSchema.optional(),
};

/** Where what is used comes from. */
export const credentialSourceSchema = z.discriminatedUnion("type", [
  /** The embedded store: the newest version. */
  z.strictObject({ type: z.literal("secret"), secret: secretPathSchema }),
  /** OAuth 2.1 client credentials: Remit itself is let in. */
  z.strictObject({ type: z.literal("oauth-client"), ...oauthSchema, client: oauthClientSchema.extend({ secret: secretPathSchema }) }),
  /** OAuth 2.1 authorization code with PKCE: somebody lets Remit in, with `remit connect`. */
  z.strictObject({
    type: z.literal("oauth-user"),
    ...oauthSchema,
    /** `person`: every call is made as whoever answers for the agent. `upstream`: one grant for all. */
    per: z.enum(["upstream", "person"]).default("upstream"),
    client: oauthClientSchema.optional(),
  }),
  /** A login of PostgreSQL that is made for the lease and dropped with it. */
  z.strictObject({
    type: z.literal("postgres"),
    /** Where the URL of a login is kept that may create roles and give the grants. */
    admin: secretPathSchema,
    /** What the login may do: statements with `{{role}}` in the place of its name, `GRANT SELECT ON contact TO {{role}}`. */
    grants: z.array(z.string().min(1).max(2_000)).min(1).max(50),
    /** What takes back what DROP OWNED does not, run before the login is dropped. */
    revoke: z.array(z.string().min(1).max(2_000)).max(50).default([]),
    ttl: durationSchema.default("PT1H"),
  }),
  /** HashiCorp Vault, by its HTTP API. */
  z.strictObject({
    type: z.literal("vault"),
    address: urlSchema,
    namespace: z.string().min(1).max(200).optional(),
    auth: z.discriminatedUnion("type", [
      z.strictObject({ type: z.literal("token"), secret: secretPathSchema }),
      z.strictObject({
        type: z.literal("approle"),
        mount: z.string().min(1).max(100).default("approle"),
        roleId: z.string().min(1).max(200),
        secret: secretPathSchema,
      }),
    ]),
    /** `kv`: a secret of a KV version 2 engine. `lease`: a dynamic secret, such as `database/creds/reader`. */
    read: z.discriminatedUnion("type", [
      z.strictObject({ type: z.literal("kv"), mount: z.string().min(1).max(100).default("secret"), path: z.string().min(1).max(300) }),
      z.strictObject({ type: z.literal("lease"), path: z.string().min(1).max(300) }),
    ]),
  }),
]);
export type CredentialSource = z.infer<typeof credentialSourceSchema>;

/** A field of a secret that has several: `username`, `password` and `url` of a login. A secret with one value has `value`. */
const field = { field: z.string().min(1).max(100).optional() };

/** How it is shown to the upstream. */
export const credentialUseSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("bearer"), ...field }),
  z.strictObject({ type: z.literal("header"), name: headerNameSchema, prefix: z.string().max(50).default(""), ...field }),
  /** HTTP Basic (RFC 7617). */
  z.strictObject({ type: z.literal("basic"), username: z.string().max(200).optional(), ...field }),
  /** In the query of the URL: only where an upstream takes it nowhere else, for URLs end up in logs of others. */
  z.strictObject({ type: z.literal("query"), name: z.string().min(1).max(100), ...field }),
  /** A variable of a stdio upstream's environment. */
  z.strictObject({
    type: z.literal("env"),
    name: z
      .string()
      .max(100)
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "expected the name of an environment variable"),
    ...field,
  }),
  /** mTLS: a certificate chain and its private key in PEM, in one secret; further CA certificates in `ca`. */
  z.strictObject({ type: z.literal("client-certificate"), ca: secretPathSchema.optional(), ...field }),
]);
export type CredentialUse = z.infer<typeof credentialUseSchema>;

/** What Remit shows an upstream in place of the agent. It says where the secret is kept and how it is used; it never holds it. */
export const credentialSpecSchema = z.strictObject({
  kind: z.literal("credential"),
  name: nameSchema,
  description: z.string().max(500).optional(),
  owner: nameSchema,
  from: credentialSourceSchema,
  use: credentialUseSchema,
});
export type CredentialSpec = z.infer<typeof credentialSpecSchema>;
