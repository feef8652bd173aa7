-- One bounded piece of work of one agent version.
CREATE TABLE run (
  id text PRIMARY KEY,
  state text NOT NULL CHECK (state IN ('running', 'completed', 'failed', 'stopped-at-limit', 'halted', 'cancelled', 'lost')),
  workflow text NOT NULL,
  agent text NOT NULL,
  version text NOT NULL,
  accountable text NOT NULL,
  environment text NOT NULL,
  policy text NOT NULL,
  queue text,
  subject text,
  started_by text NOT NULL,
  -- What the run's tokens carry.
  binding jsonb NOT NULL,
  max_actions integer NOT NULL,
  actions_used integer NOT NULL DEFAULT 0 CHECK (actions_used <= max_actions),
  deadline timestamptz NOT NULL,
  -- The program that follows the run renews this; one that stops loses the run and its work.
  lease_until timestamptz NOT NULL,
  trace_id text,
  reason text,
  started_at timestamptz NOT NULL,
  ended_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX run_running ON run (lease_until) WHERE state = 'running';
GRANT SELECT, INSERT, UPDATE ON run TO remit_app;

-- Work that waits for a run. Claimed with SKIP LOCKED, oldest first.
CREATE TABLE queue_item (
  id text PRIMARY KEY,
  queue text NOT NULL,
  state text NOT NULL CHECK (state IN ('ready', 'claimed', 'completed', 'set-aside')),
  subject text NOT NULL,
  payload jsonb NOT NULL,
  key text,
  attempts integer NOT NULL DEFAULT 0,
  run_id text REFERENCES run (id),
  enqueued_by text NOT NULL,
  enqueued_at timestamptz NOT NULL,
  claimed_until timestamptz,
  ended_at timestamptz,
  UNIQUE (queue, key)
);
CREATE INDEX queue_item_ready ON queue_item (queue, id) WHERE state = 'ready';
CREATE INDEX queue_item_claimed ON queue_item (claimed_until) WHERE state = 'claimed';
GRANT SELECT, INSERT, UPDATE ON queue_item TO remit_app;
