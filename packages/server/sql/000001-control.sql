-- One number for everything that all servers must agree on before anything may happen: registry, halts, revocations.
-- Whoever changes any of it raises the number in the same transaction; an intent commits only under the number it was decided under.
CREATE TABLE control_state (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  epoch bigint NOT NULL DEFAULT 1
);
INSERT INTO control_state DEFAULT VALUES;
GRANT SELECT, UPDATE ON control_state TO remit_app;

-- Servers that may have actions in flight. One that stops saying so is lost, and what it had in flight ends as unknown.
CREATE TABLE server_instance (
  id uuid PRIMARY KEY,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON server_instance TO remit_app;
