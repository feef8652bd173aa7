-- An upstream that answered a call with a task of its own, and the server that follows it. Gone when the action has ended.
CREATE TABLE upstream_task (
  action_id text PRIMARY KEY,
  upstream text NOT NULL,
  -- The upstream's own name of it, so that a person finds there what a lost server followed. No client ever sees it.
  task text NOT NULL,
  began_at timestamptz NOT NULL,
  -- Somebody who asked another server than the one that follows it wants it cancelled.
  cancelled_by text
);
GRANT SELECT, INSERT, UPDATE, DELETE ON upstream_task TO remit_app;

-- How many calls of an agent wait for people at a time, outside of runs, is bounded.
CREATE INDEX action_waiting ON action (agent) WHERE state = 'waiting' AND run_id IS NULL;
