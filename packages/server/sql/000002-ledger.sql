-- Keys. Private keys and data keys are sealed with the master key, which is never in the database.

CREATE TABLE signing_key (
  name text NOT NULL,
  version integer NOT NULL,
  alg text NOT NULL,
  kid text NOT NULL UNIQUE,
  -- SubjectPublicKeyInfo, DER.
  public_key bytea NOT NULL,
  -- PKCS #8, DER, sealed; bound to name and version.
  sealed bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (name, version)
);
GRANT SELECT, INSERT ON signing_key TO remit_app;

-- One data key per subject of payloads. Erasing it erases them: nothing else opens them.
CREATE TABLE payload_key (
  subject text PRIMARY KEY,
  wrapped bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT, INSERT ON payload_key TO remit_app;

-- The ledger. Its tables are only ever added to; the application has no other right on them.
-- They carry no foreign keys: entries, payloads and leaves are written by single statements of ours, the checks would double
-- the cost of an entry, and the verifier finds what does not belong together, also when somebody has dropped a constraint.

CREATE TABLE ledger_entry (
  id text PRIMARY KEY,
  -- Canonical JSON: what is hashed. Every other column follows from it, is there to be searched, and is compared by the verifier.
  body bytea NOT NULL,
  type text NOT NULL,
  at timestamptz NOT NULL,
  actor text NOT NULL,
  agent text,
  tool text,
  action_id text,
  run_id text,
  approval_id text,
  trace_id text
);
CREATE INDEX ledger_entry_action ON ledger_entry (action_id) WHERE action_id IS NOT NULL;
CREATE INDEX ledger_entry_run ON ledger_entry (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX ledger_entry_approval ON ledger_entry (approval_id) WHERE approval_id IS NOT NULL;
-- Each further tree would be paid for by every entry: these words are the same in most of them, and a trace's id falls anywhere into
-- a tree. Entries arrive about in order of time: a summary of each range of pages says which of them to read.
CREATE INDEX ledger_entry_words ON ledger_entry
  USING brin (at, trace_id text_bloom_ops, agent text_bloom_ops, tool text_bloom_ops, actor text_bloom_ops, type text_bloom_ops)
  WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE ledger_payload (
  entry_id text NOT NULL,
  name text NOT NULL,
  -- Whose key opens it.
  subject text NOT NULL,
  ciphertext bytea NOT NULL,
  PRIMARY KEY (entry_id, name)
);
-- Sealed bytes do not compress; trying costs time.
ALTER TABLE ledger_payload ALTER COLUMN ciphertext SET STORAGE EXTERNAL;

-- The order: leaf `seq` of the Merkle tree is this entry.
CREATE TABLE ledger_leaf (
  seq bigint PRIMARY KEY,
  entry_id text NOT NULL UNIQUE,
  leaf_hash bytea NOT NULL
);

-- Full tiles only (C2SP tlog-tiles): they never change.
CREATE TABLE ledger_tile (
  level smallint NOT NULL,
  index bigint NOT NULL,
  hashes bytea NOT NULL,
  -- The node above the tile, so that a tile one level up is read without reading 256 below.
  root bytea NOT NULL,
  PRIMARY KEY (level, index)
);
ALTER TABLE ledger_tile ALTER COLUMN hashes SET STORAGE EXTERNAL;

CREATE TABLE ledger_checkpoint (
  size bigint PRIMARY KEY,
  root bytea NOT NULL,
  -- The signed note.
  note text NOT NULL,
  -- The leaf hashes since the checkpoint before, joined: bound by the signed root, they say which row is wrong, not only that one is.
  leaves bytea NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE ledger_checkpoint ALTER COLUMN leaves SET STORAGE EXTERNAL;

GRANT SELECT, INSERT ON ledger_entry, ledger_payload, ledger_leaf, ledger_tile, ledger_checkpoint TO remit_app;

-- Work, not ledger: entries that have no sequence number yet, a row for those that were appended together. The sequencer empties it, so that it never reads by `id > cursor`,
-- which skips what commits late.
CREATE TABLE ledger_pending (
  serial bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  entry_ids text[] NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_insert_scale_factor = 0);
GRANT SELECT, INSERT, DELETE ON ledger_pending TO remit_app;

-- Who may sequence. The epoch grows with each holder, and is checked in the statement that writes leaves:
-- one that was paused, or cut off, writes nothing more.
CREATE TABLE ledger_sequencer (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  epoch bigint NOT NULL,
  holder text NOT NULL,
  expires_at timestamptz NOT NULL
);
INSERT INTO ledger_sequencer (epoch, holder, expires_at) VALUES (0, 'nobody', '-infinity');
GRANT SELECT, UPDATE ON ledger_sequencer TO remit_app;
