-- Faults that people inject on purpose. One for production does nothing until a second person has confirmed it.
CREATE TABLE fault (
  id text PRIMARY KEY,
  environment text NOT NULL,
  upstream text NOT NULL,
  tool text,
  kind text NOT NULL CHECK (kind IN ('timeout', 'error', 'slow', 'partial', 'stale', 'schema-drift')),
  percent integer NOT NULL CHECK (percent BETWEEN 1 AND 100),
  delay_ms integer NOT NULL CHECK (delay_ms > 0),
  lasts_s integer NOT NULL CHECK (lasts_s BETWEEN 1 AND 86400),
  reason text NOT NULL,
  added_by text NOT NULL,
  -- Who made the session of the first person: the same person may not be the second under another name.
  added_link text NOT NULL,
  added_at timestamptz NOT NULL,
  confirmed_by text,
  -- Set when it begins: it ends by itself.
  expires_at timestamptz,
  removed_by text,
  removed_at timestamptz
);
CREATE INDEX fault_by_end ON fault (expires_at) WHERE removed_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON fault TO remit_app;
