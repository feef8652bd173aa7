-- Every version of every document, text and closure that was ever in force. `digest` is the SHA-256 of `content`.
CREATE TABLE asset_version (
  kind text NOT NULL,
  name text NOT NULL,
  digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
  content text NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (kind, name, digest)
);
GRANT SELECT, INSERT ON asset_version TO remit_app;

-- Every registry that was ever applied: which versions it consists of.
CREATE TABLE registry_revision (
  number bigint PRIMARY KEY CHECK (number > 0),
  -- Of the registry as it came into force; tools that drift later change the digest in force, not this.
  digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
  plan text NOT NULL CHECK (plan ~ '^[0-9a-f]{64}$'),
  -- [[kind, name, digest], ...]
  versions json NOT NULL,
  applied_by text NOT NULL,
  applied_at timestamptz NOT NULL
);
GRANT SELECT, INSERT ON registry_revision TO remit_app;

-- Everything that an upstream said of a tool and that was looked at or accepted, named by its digest.
-- All three are canonical JSON in text: what a hostile upstream says may hold characters that text and jsonb cannot.
CREATE TABLE tool_pin (
  digest text PRIMARY KEY CHECK (digest ~ '^[0-9a-f]{64}$'),
  description text NOT NULL,
  input_schema text NOT NULL,
  output_schema text,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT, INSERT ON tool_pin TO remit_app;

-- The pointers: what is in force. The generation rises with every change of any of them.
CREATE TABLE registry_head (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  revision bigint REFERENCES registry_revision (number),
  generation bigint NOT NULL DEFAULT 0
);
INSERT INTO registry_head DEFAULT VALUES;
GRANT SELECT, UPDATE ON registry_head TO remit_app;

CREATE TABLE tool_head (
  qualified_name text PRIMARY KEY,
  -- What was accepted, and what the upstream said last.
  pin text REFERENCES tool_pin (digest),
  offered text REFERENCES tool_pin (digest),
  -- Why what it says can never be accepted.
  refusal text
);
GRANT SELECT, INSERT, UPDATE, DELETE ON tool_head TO remit_app;
