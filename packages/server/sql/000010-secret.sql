-- What upstreams are shown. Nothing in here can be read without the master key: each value is sealed with a key of its own, and that key
-- with the master key, both for its own path and version alone.
CREATE TABLE secret (
  path text PRIMARY KEY,
  -- Goes on counting after a removal: no two values are ever the same version of a path.
  newest integer NOT NULL
);
GRANT SELECT, INSERT ON secret TO remit_app;
GRANT UPDATE (newest) ON secret TO remit_app;

CREATE TABLE secret_version (
  path text NOT NULL REFERENCES secret (path),
  version integer NOT NULL,
  sealed bytea NOT NULL,
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  -- The end of its overlap with the version after it.
  destroy_at timestamptz,
  PRIMARY KEY (path, version)
);
CREATE INDEX secret_version_to_destroy ON secret_version (destroy_at) WHERE destroy_at IS NOT NULL;
GRANT SELECT, INSERT, DELETE ON secret_version TO remit_app;
GRANT UPDATE (destroy_at) ON secret_version TO remit_app;

-- One right to use an upstream's credentials for a while. Written before anything is made for it, so that a crash leaves nothing behind
-- that nobody knows of.
CREATE TABLE credential_lease (
  id text PRIMARY KEY,
  upstream text NOT NULL,
  credentials text[] NOT NULL,
  -- The paths of the secrets that it rests on.
  secrets text[] NOT NULL,
  -- All null: the connection itself, which all agents share.
  agent text,
  run_id text,
  environment text,
  person text,
  issued_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  ended_at timestamptz,
  ended_reason text,
  -- What has to be taken back where it was made: [{type, ...}], empty when nothing is left of it.
  undo jsonb NOT NULL DEFAULT '[]',
  undo_attempts integer NOT NULL DEFAULT 0,
  undo_after timestamptz
);
CREATE INDEX credential_lease_live ON credential_lease (expires_at) WHERE ended_at IS NULL;
CREATE INDEX credential_lease_of_run ON credential_lease (run_id) WHERE ended_at IS NULL;
CREATE INDEX credential_lease_to_undo ON credential_lease (undo_after) WHERE ended_at IS NOT NULL AND undo <> '[]';
GRANT SELECT, INSERT, DELETE ON credential_lease TO remit_app;
GRANT UPDATE (expires_at, ended_at, ended_reason, undo, undo_attempts, undo_after) ON credential_lease TO remit_app;

-- What authorization servers have granted: tokens, sealed for their place. `person` is empty where one grant serves everybody.
CREATE TABLE credential_grant (
  credential text NOT NULL,
  upstream text NOT NULL,
  person text NOT NULL,
  state text NOT NULL CHECK (state IN ('wanted', 'connected', 'expired')),
  -- Of the sealed tokens; each refresh makes another.
  version integer NOT NULL DEFAULT 0,
  sealed bytea,
  -- Of the access token; null when the server did not say.
  expires_at timestamptz,
  reason text,
  -- What the upstream has asked for when it did not let Remit in: the next consent covers it.
  wanted text[] NOT NULL DEFAULT '{}',
  resource_metadata text,
  connected_by text,
  connected_at timestamptz,
  refreshed_at timestamptz,
  PRIMARY KEY (credential, upstream, person),
  CHECK ((state = 'wanted') = (sealed IS NULL))
);
GRANT SELECT, INSERT, UPDATE, DELETE ON credential_grant TO remit_app;

-- Who Remit is to authorization servers where it has registered itself.
CREATE TABLE credential_client (
  credential text NOT NULL,
  issuer text NOT NULL,
  redirect_uri text NOT NULL,
  sealed bytea NOT NULL,
  registered_at timestamptz NOT NULL,
  PRIMARY KEY (credential, issuer, redirect_uri)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON credential_client TO remit_app;

-- Consents that somebody has gone to give. Each comes back once.
CREATE TABLE credential_consent (
  state_hash bytea PRIMARY KEY CHECK (octet_length(state_hash) = 32),
  credential text NOT NULL,
  upstream text NOT NULL,
  person text NOT NULL,
  started_by text NOT NULL,
  sealed bytea NOT NULL,
  expires_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, DELETE ON credential_consent TO remit_app;
