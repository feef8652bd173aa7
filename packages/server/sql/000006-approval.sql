-- One request for approval, bound to one action's digest. What decides it is in the row, so that a vote locks one row and nothing else.
CREATE TABLE approval (
  id text PRIMARY KEY,
  action_id text NOT NULL UNIQUE,
  digest text NOT NULL,
  state text NOT NULL CHECK (state IN ('pending', 'granted', 'denied', 'expired', 'cancelled', 'consumed', 'stale')),
  tool text NOT NULL,
  effect text NOT NULL,
  reversibility text NOT NULL,
  environment text NOT NULL,
  agent text NOT NULL,
  accountable text NOT NULL,
  run_id text,
  subject text,
  -- The entry whose payload holds the arguments.
  arguments_entry text NOT NULL,
  reason text NOT NULL,
  -- [{team, quorum, gates, asked: [{team, at}]}], [{party, sameAs, vote, at, comment}], [{from, to, at}]; times in milliseconds since 1970.
  requirements jsonb NOT NULL,
  votes jsonb NOT NULL DEFAULT '[]',
  delegations jsonb NOT NULL DEFAULT '[]',
  requested_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  -- When the next team is asked, unless somebody answers before.
  escalate_at timestamptz,
  -- Until when a grant can be used.
  usable_until timestamptz,
  decided_at timestamptz,
  ended_reason text
);
CREATE INDEX approval_pending ON approval (id DESC) WHERE state = 'pending';
CREATE INDEX approval_granted ON approval (decided_at) WHERE state = 'granted';
CREATE INDEX approval_of_run ON approval (run_id) WHERE state IN ('pending', 'granted');
-- What was asked never changes; only what came of it does.
GRANT SELECT, INSERT ON approval TO remit_app;
GRANT UPDATE (state, requirements, votes, delegations, escalate_at, usable_until, decided_at, ended_reason) ON approval TO remit_app;
