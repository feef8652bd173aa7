-- What an authorization that a person is in the middle of, or has given, rests on. Codes, refresh tokens and cookies are known by their hash only.
CREATE TABLE oauth_record (
  model text NOT NULL,
  key bytea NOT NULL CHECK (octet_length(key) = 32),
  payload jsonb NOT NULL,
  grant_id text,
  consumed_at timestamptz,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (model, key)
);
CREATE INDEX oauth_record_of_grant ON oauth_record (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX oauth_record_expired ON oauth_record (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_record TO remit_app;

-- A person's leave for one client to act as one agent of his.
CREATE TABLE consent (
  id text PRIMARY KEY,
  grant_id text NOT NULL UNIQUE,
  client text NOT NULL,
  client_name text NOT NULL,
  party text NOT NULL,
  agent text NOT NULL,
  environment text NOT NULL,
  policies text[] NOT NULL,
  given_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  withdrawn_at timestamptz
);
CREATE INDEX consent_of_party ON consent (party);
CREATE INDEX consent_of_client ON consent (client);
GRANT SELECT, INSERT ON consent TO remit_app;
GRANT UPDATE (withdrawn_at) ON consent TO remit_app;

-- States that clients kept for us and that have come back: none is taken twice.
CREATE TABLE used_state (
  id text PRIMARY KEY,
  expires_at timestamptz NOT NULL
);
CREATE INDEX used_state_expired ON used_state (expires_at);
GRANT SELECT, INSERT, DELETE ON used_state TO remit_app;
