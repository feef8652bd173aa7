-- What servers that share a database say of themselves. A server of an earlier version leaves it out.
ALTER TABLE server_instance
  -- How people find it: host and port.
  ADD COLUMN name text,
  ADD COLUMN version text,
  -- The newest migration that it knows.
  ADD COLUMN schema integer,
  -- The control state that it has applied.
  ADD COLUMN control_epoch bigint,
  -- It takes no more work, finishes what it has and leaves.
  ADD COLUMN draining boolean NOT NULL DEFAULT false;

-- By the database's clock, as everything is that servers compare: when somebody gave the command.
ALTER TABLE halt ADD COLUMN commanded_at timestamptz;

-- Servers that have applied a halt: from then on nothing that it covers begins on them.
CREATE TABLE halt_confirmation (
  halt_id text NOT NULL,
  instance uuid NOT NULL,
  name text NOT NULL,
  confirmed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- When an action that it covers last began to execute there; null: none of late.
  last_start_at timestamptz,
  -- How many were executing there, and were cancelled.
  cancelled integer NOT NULL,
  PRIMARY KEY (halt_id, instance)
);
GRANT SELECT, INSERT ON halt_confirmation TO remit_app;
