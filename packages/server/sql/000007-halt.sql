-- Halts in force and ended. Releasing takes a request and a second person.
CREATE TABLE halt (
  id text PRIMARY KEY,
  mode text NOT NULL CHECK (mode IN ('halt', 'safe-mode')),
  scope jsonb NOT NULL,
  reason text NOT NULL,
  engaged_by text NOT NULL,
  engaged_at timestamptz NOT NULL,
  release_requested_by text,
  -- Who made the session of the first person: the same person may not be the second under another name.
  release_requested_link text,
  release_reason text,
  released_by text,
  released_at timestamptz
);
CREATE INDEX halt_in_force ON halt (id) WHERE released_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON halt TO remit_app;
