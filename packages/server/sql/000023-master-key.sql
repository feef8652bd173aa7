-- Which master key everything that is sealed here is sealed with. A server that holds another one does not start, or stops deciding.
CREATE TABLE master_key (
  version integer PRIMARY KEY,
  -- What follows from the key and leads nobody back to it. One that was replaced is never taken again.
  fingerprint text NOT NULL UNIQUE,
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Null: it is the first.
  rotated_by text,
  -- How many values were sealed anew.
  resealed bigint,
  -- When the ledger itself says it.
  recorded_at timestamptz
);
GRANT SELECT, INSERT, UPDATE (recorded_at) ON master_key TO remit_app;
