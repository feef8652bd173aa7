-- A database that was restored from a backup says so for good, and no server starts on it before its ledger has been verified.
CREATE TABLE restoration (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  restored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  taken_at timestamptz NOT NULL,
  -- The ledger as it was restored.
  size bigint NOT NULL,
  root bytea NOT NULL,
  -- A checkpoint of more entries than these had been seen elsewhere: the rest is lost, and somebody has said that he knows.
  witnessed_size bigint,
  acknowledged_by text,
  reason text,
  verified_at timestamptz,
  -- When the ledger itself says it.
  recorded_at timestamptz
);
GRANT SELECT, UPDATE (recorded_at) ON restoration TO remit_app;
