-- Where consumers stand that cannot say so themselves. A place is a sequence number: the next entry to look at.

CREATE TABLE stream_cursor (
  name text PRIMARY KEY,
  place bigint NOT NULL CHECK (place >= 0),
  -- Who publishes. The epoch grows with each holder, and is checked by whatever moves the place.
  holder text NOT NULL DEFAULT '',
  epoch bigint NOT NULL DEFAULT 0,
  held_until timestamptz NOT NULL DEFAULT '-infinity'
);
GRANT SELECT, INSERT, UPDATE ON stream_cursor TO remit_app;

CREATE TABLE webhook (
  id text PRIMARY KEY,
  url text NOT NULL,
  description text NOT NULL,
  types text[],
  agent text,
  state text NOT NULL CHECK (state IN ('active', 'paused', 'disabled')),
  reason text,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  place bigint NOT NULL CHECK (place >= 0),
  -- In a row, whichever event it was.
  failures integer NOT NULL DEFAULT 0,
  -- One that takes nothing is tried with one event, at this time.
  probe_at timestamptz,
  last_success_at timestamptz,
  last_failure_at timestamptz,
  holder text NOT NULL DEFAULT '',
  epoch bigint NOT NULL DEFAULT 0,
  held_until timestamptz NOT NULL DEFAULT '-infinity'
);
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook TO remit_app;

-- Sealed with the master key, for their endpoint and version alone.
CREATE TABLE webhook_secret (
  webhook_id text NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
  version integer NOT NULL,
  sealed bytea NOT NULL,
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  -- Null: until it is rotated.
  ends_at timestamptz,
  PRIMARY KEY (webhook_id, version)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_secret TO remit_app;

-- Events before the endpoint's place that it has not taken: they failed, or wait behind one of their lane (run) that did. What was taken
-- at once has no row here.
CREATE TABLE webhook_delivery (
  webhook_id text NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
  seq bigint NOT NULL,
  entry_id text NOT NULL,
  type text NOT NULL,
  lane text NOT NULL,
  state text NOT NULL CHECK (state IN ('waiting', 'dead')),
  attempts integer NOT NULL,
  due_at timestamptz NOT NULL,
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  status integer,
  reason text,
  PRIMARY KEY (webhook_id, seq)
);
CREATE INDEX webhook_delivery_lane ON webhook_delivery (webhook_id, lane, seq) WHERE state = 'waiting';
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_delivery TO remit_app;

-- The log of what was sent. It is kept for a while, and nothing rests on it.
CREATE TABLE webhook_attempt (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  webhook_id text NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
  seq bigint NOT NULL,
  entry_id text NOT NULL,
  type text NOT NULL,
  at timestamptz NOT NULL,
  attempt integer NOT NULL,
  delivered boolean NOT NULL,
  status integer,
  reason text,
  duration_ms integer NOT NULL
);
CREATE INDEX webhook_attempt_of ON webhook_attempt (webhook_id, id);
CREATE INDEX webhook_attempt_at ON webhook_attempt USING brin (at);
GRANT SELECT, INSERT, DELETE ON webhook_attempt TO remit_app;
