-- Counts of what the ledger holds, for metrics: work, not ledger. Anybody can count again, and `remit audit reconcile` does.
-- Where the next count begins moves in the statement that adds what was counted, so that no entry counts twice, whoever counts.
CREATE TABLE metric_position (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  size bigint NOT NULL
);
INSERT INTO metric_position (size) VALUES (0);
GRANT SELECT, UPDATE ON metric_position TO remit_app;

CREATE TABLE metric_tally (
  metric text NOT NULL,
  -- Canonical JSON.
  labels text NOT NULL,
  value double precision NOT NULL,
  PRIMARY KEY (metric, labels)
);
GRANT SELECT, INSERT, UPDATE ON metric_tally TO remit_app;
