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
  -- `service:machine` or `party:<name>`.
  started_by text NOT NULL,
  -- What the run's tokens carry. json, not jsonb: it is given out as it came in.
  binding json NOT NULL,
  max_actions integer NOT NULL,
  actions_used integer NOT NULL DEFAULT 0 CHECK (actions_used <= max_actions),
  deadline timestamptz NOT NULL,
  -- The program that follows the run renews this; one that stops loses the run and its work.
  lease_until timestamptz NOT NULL,
  trace_id text,
  reason text,
  started_at timestamptz NOT NULL,
  ended_at timestamptz,
  CHECK ((state = 'running') = (ended_at IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX run_due ON run (least(lease_until, deadline)) WHERE state = 'running';
CREATE INDEX run_of_workflow ON run (workflow, id);
GRANT SELECT, INSERT ON run TO remit_app;
-- What a run may do never changes; only how far it is does.
GRANT UPDATE (state, actions_used, lease_until, reason, ended_at) ON run TO remit_app;

-- Work that waits for a run. Claimed with SKIP LOCKED, oldest first. An item is claimed exactly as long as its run goes on: the lease is
-- the run's, so the two cannot disagree.
CREATE TABLE queue_item (
  id text PRIMARY KEY,
  queue text NOT NULL,
  state text NOT NULL CHECK (state IN ('ready', 'claimed', 'completed', 'set-aside')),
  subject text NOT NULL,
  -- json, not jsonb: the agent is given what was enqueued, U+0000 and all.
  payload json NOT NULL,
  key text,
  attempts integer NOT NULL DEFAULT 0,
  -- How many runs may claim it, as the registry said at the last claim: a run can then end while no registry can be confirmed.
  max_attempts integer NOT NULL DEFAULT 0,
  -- The run that claimed it last.
  run_id text REFERENCES run (id),
  enqueued_by text NOT NULL,
  enqueued_at timestamptz NOT NULL,
  ended_at timestamptz,
  UNIQUE (queue, key),
  CHECK (state <> 'claimed' OR run_id IS NOT NULL)
);
CREATE INDEX queue_item_of_queue ON queue_item (queue, id);
-- Finished work is left out: a queue stays as fast as it is short.
CREATE INDEX queue_item_open ON queue_item (queue, state, id) WHERE state <> 'completed';
CREATE UNIQUE INDEX queue_item_claimed ON queue_item (run_id) WHERE state = 'claimed';
GRANT SELECT, INSERT ON queue_item TO remit_app;
GRANT UPDATE (state, attempts, max_attempts, run_id, ended_at) ON queue_item TO remit_app;
