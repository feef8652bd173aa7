-- Client secrets of agents. Only their SHA-256: a secret is 256 random bits, which no hash, fast or slow, gives back.
CREATE TABLE agent_secret (
  id text PRIMARY KEY,
  agent text NOT NULL,
  secret_hash bytea NOT NULL UNIQUE CHECK (octet_length(secret_hash) = 32),
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  expires_at timestamptz NOT NULL,
  retired_at timestamptz,
  last_used_at timestamptz
);
CREATE INDEX agent_secret_of_agent ON agent_secret (agent);
GRANT SELECT, INSERT ON agent_secret TO remit_app;
GRANT UPDATE (retired_at, last_used_at) ON agent_secret TO remit_app;

-- What was taken back before it ended by itself; part of the control state. A row may go once every token that it can concern has expired.
CREATE TABLE revocation (
  kind text NOT NULL CHECK (kind IN ('token', 'run', 'secret', 'consent', 'agent')),
  name text NOT NULL,
  revoked_at timestamptz NOT NULL,
  forget_at timestamptz NOT NULL,
  reason text NOT NULL,
  PRIMARY KEY (kind, name)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON revocation TO remit_app;

-- One-time login links. Kept after use, so that a second use is told apart from a wrong link.
CREATE TABLE login_link (
  id text PRIMARY KEY,
  token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
  party text NOT NULL,
  issued_by text NOT NULL,
  issued_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);
GRANT SELECT, INSERT ON login_link TO remit_app;
GRANT UPDATE (used_at) ON login_link TO remit_app;

CREATE TABLE session (
  id text PRIMARY KEY,
  token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
  party text NOT NULL,
  link_id text NOT NULL UNIQUE REFERENCES login_link (id),
  linked_by text NOT NULL,
  started_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  ended_at timestamptz
);
GRANT SELECT, INSERT ON session TO remit_app;
GRANT UPDATE (last_seen_at, ended_at) ON session TO remit_app;
