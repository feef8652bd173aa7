-- What others say of the ledger. Like the ledger, added to only.

-- That a witness has seen a checkpoint: the line that it signed, as it goes under the checkpoint's note.
CREATE TABLE ledger_cosignature (
  size bigint NOT NULL,
  -- The verifier key that the line was verified with.
  vkey text NOT NULL,
  -- When the witness says that it saw it, in seconds since 1970.
  timestamp bigint NOT NULL,
  line text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (size, vkey, timestamp)
);

-- Two notes that the ledger's key signed and that cannot both be true.
CREATE TABLE ledger_split_view (
  -- SHA-256 of both notes: the same contradiction is kept once.
  digest text PRIMARY KEY,
  -- Who showed it: the address of a witness, or a sink.
  seen_at text NOT NULL,
  what text NOT NULL,
  ours text NOT NULL,
  theirs text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Which keys sign checkpoints, each row the whole set from then on. The newest holds. The code binds a row to the master key,
-- so that whoever can write to the database cannot add a key of his own.
CREATE TABLE ledger_key_set (
  version integer PRIMARY KEY,
  -- Canonical JSON.
  keys text NOT NULL,
  -- The entry that says the same in the ledger.
  entry_id text NOT NULL,
  code bytea NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT, INSERT ON ledger_cosignature, ledger_split_view, ledger_key_set TO remit_app;

-- Work, not ledger: how it stands with each place that checkpoints are sent to. One server at a time sends to each.
CREATE TABLE ledger_anchor (
  place text PRIMARY KEY,
  -- The size that it was last known to hold.
  size bigint NOT NULL DEFAULT 0,
  failures integer NOT NULL DEFAULT 0,
  problem text,
  is_split boolean NOT NULL DEFAULT false,
  next_at timestamptz NOT NULL DEFAULT '-infinity',
  claimed_until timestamptz NOT NULL DEFAULT '-infinity',
  sent_at timestamptz
);
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger_anchor TO remit_app;
