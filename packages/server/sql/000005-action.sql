-- One attempt by an agent to use a tool. The row says where the action is; the ledger says what happened.
CREATE TABLE action (
  id text PRIMARY KEY,
  -- Drawn while the action's run is locked: within one run, what commits later stands later, so whoever reads on from a place misses none.
  place bigint GENERATED ALWAYS AS IDENTITY,
  digest text NOT NULL,
  state text NOT NULL CHECK (state IN ('waiting', 'executing', 'denied', 'expired', 'rejected', 'cancelled', 'halted', 'succeeded', 'failed', 'unknown')),
  agent text NOT NULL,
  environment text NOT NULL,
  run_id text,
  tool text NOT NULL,
  effect text NOT NULL,
  -- A call with the same key attaches to this action in place of starting another.
  attach_key text,
  -- The caller as verified, so that the server can execute after a grant.
  caller json NOT NULL,
  idempotency_key text,
  -- Which server executes it. A lost server's actions end as unknown.
  instance uuid,
  -- What it reserved: [{key, amount}].
  reservations jsonb NOT NULL DEFAULT '[]',
  -- Entries whose payloads hold the arguments and the result.
  arguments_entry text NOT NULL,
  result_entry text,
  code text,
  reason text,
  trace_id text,
  requested_at timestamptz NOT NULL,
  ended_at timestamptz
);
-- Most actions have none.
CREATE UNIQUE INDEX action_attach_key_key ON action (attach_key) WHERE attach_key IS NOT NULL;
CREATE INDEX action_executing ON action (instance) WHERE state = 'executing';
CREATE INDEX action_of_run ON action (run_id, place) WHERE run_id IS NOT NULL;
GRANT SELECT, INSERT, UPDATE ON action TO remit_app;

-- One window of one budget. spent + reserved never exceeds the limit that the drawing action was held to.
CREATE TABLE budget_window (
  key text PRIMARY KEY,
  spent bigint NOT NULL DEFAULT 0 CHECK (spent >= 0),
  reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
  -- Kept for three days: the longest window is a day.
  opened_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 70);
GRANT SELECT, INSERT, UPDATE, DELETE ON budget_window TO remit_app;
