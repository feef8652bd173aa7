-- contracts: payload_key gives way to a view. Servers of the version before are stopped first.
-- Keys of payloads, so that destroying one is cheap and complete. A deleted row's bytes stay in its page until the table is rewritten:
-- in sixteen parts, rewriting one after an erasure holds up a sixteenth of the keys for as long as that takes.
ALTER TABLE payload_key RENAME TO payload_key_whole;
ALTER TABLE payload_key_whole RENAME CONSTRAINT payload_key_pkey TO payload_key_whole_pkey;
CREATE TABLE payload_key (
  -- `run:<id>`, `agent:<name>`, `queue:<name>`; `person:<random>` for a data subject; `kept:<class>/<sensitivity>/<day>` for what is kept equally long.
  subject text PRIMARY KEY,
  wrapped bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
) PARTITION BY HASH (subject);
DO $$
BEGIN
  FOR part IN 0..15 LOOP
    EXECUTE format('CREATE TABLE payload_key_%s PARTITION OF payload_key FOR VALUES WITH (MODULUS 16, REMAINDER %s)', part, part);
  END LOOP;
END $$;
INSERT INTO payload_key SELECT subject, wrapped, created_at FROM payload_key_whole;
DROP TABLE payload_key_whole;
GRANT SELECT, INSERT ON payload_key TO remit_app;

-- Who is behind a key. The ledger has the key's random name alone; without this row nothing says whose it was.
CREATE TABLE data_subject (
  -- HMAC-SHA-256 of the subject's name under a key that follows from the master key.
  lookup bytea PRIMARY KEY CHECK (octet_length(lookup) = 32),
  key_name text NOT NULL UNIQUE,
  -- The subject's name, sealed with the subject's own key.
  sealed bytea NOT NULL,
  first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT, INSERT ON data_subject TO remit_app;

-- What is about a data subject is found by its key. The names of data subjects come first in `subject`, so that nothing else costs an entry here.
CREATE INDEX ledger_payload_person ON ledger_payload USING gin (string_to_array(subject, ' ')) WHERE starts_with(subject, 'person:');

-- Nothing about a held subject is erased or purged.
CREATE TABLE legal_hold (
  id text PRIMARY KEY,
  name text NOT NULL,
  reason text NOT NULL,
  -- Null: everything is held.
  key_name text,
  placed_by text NOT NULL,
  placed_at timestamptz NOT NULL,
  release_requested_by text,
  -- Who made the session of the first person: the same person may not be the second under another name.
  release_requested_link text,
  release_reason text,
  released_by text,
  released_at timestamptz
);
CREATE UNIQUE INDEX legal_hold_name ON legal_hold (name) WHERE released_at IS NULL;
GRANT SELECT, INSERT ON legal_hold TO remit_app;
GRANT UPDATE (release_requested_by, release_requested_link, release_reason, released_by, released_at) ON legal_hold TO remit_app;

-- The keys of single payloads that were kept beyond their schedule, because somebody they are about is held.
CREATE TABLE held_payload_key (
  entry_id text NOT NULL,
  name text NOT NULL,
  wrapped bytea NOT NULL,
  PRIMARY KEY (entry_id, name)
);
GRANT SELECT, INSERT ON held_payload_key TO remit_app;

-- Tables that must be rewritten because keys were deleted from them. Emptied by whoever rewrote them.
CREATE TABLE key_rewrite (
  relation text PRIMARY KEY,
  since timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT, DELETE ON key_rewrite TO remit_app;

-- The application cannot delete keys. It can have these two things done, which refuse what is held whatever it says.

CREATE FUNCTION note_rewrite(key_names text[]) RETURNS void LANGUAGE sql SET search_path = public, pg_temp AS $$
  INSERT INTO key_rewrite (relation) SELECT DISTINCT tableoid::regclass::text FROM payload_key WHERE subject = ANY (key_names)
  UNION SELECT 'data_subject' UNION SELECT 'held_payload_key'
  ON CONFLICT (relation) DO UPDATE SET since = clock_timestamp()
$$;

-- Destroys the key of a data subject, or of a run, agent or queue, and everything that says whose it was.
CREATE FUNCTION erase_payload_key(erased text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  held text;
BEGIN
  IF starts_with(erased, 'kept:') THEN RAISE EXCEPTION 'not the key of a subject: %', erased; END IF;
  -- A hold that is being placed on anything is waited for.
  LOCK TABLE legal_hold IN SHARE MODE;
  SELECT name INTO held FROM legal_hold h WHERE released_at IS NULL AND (h.key_name IS NULL OR h.key_name = erased
    OR (starts_with(erased, 'person:') AND EXISTS (
      SELECT FROM ledger_payload p WHERE starts_with(p.subject, 'person:') AND string_to_array(p.subject, ' ') @> ARRAY[erased, h.key_name])))
    ORDER BY placed_at LIMIT 1;
  IF held IS NOT NULL THEN RAISE EXCEPTION 'held: %', held USING ERRCODE = 'RM001', DETAIL = held; END IF;
  PERFORM note_rewrite(ARRAY[erased]);
  DELETE FROM data_subject WHERE key_name = erased;
  IF starts_with(erased, 'person:') THEN
    DELETE FROM held_payload_key k USING ledger_payload p WHERE starts_with(p.subject, 'person:')
      AND string_to_array(p.subject, ' ') @> ARRAY[erased] AND k.entry_id = p.entry_id AND k.name = p.name;
  END IF;
  DELETE FROM payload_key WHERE subject = erased;
  RETURN FOUND;
END $$;

-- Destroys the keys of whole days that have passed.
CREATE FUNCTION purge_kept_keys(purged text[]) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  held text;
  deleted bigint;
BEGIN
  IF EXISTS (SELECT FROM unnest(purged) AS p (name) WHERE name !~ '^kept:[a-z]+/[a-z]+/\d{4}-\d\d-\d\d$'
      OR right(name, 10)::date >= (clock_timestamp() AT TIME ZONE 'UTC')::date) THEN
    RAISE EXCEPTION 'not the keys of days that have passed';
  END IF;
  LOCK TABLE legal_hold IN SHARE MODE;
  SELECT name INTO held FROM legal_hold WHERE released_at IS NULL AND key_name IS NULL ORDER BY placed_at LIMIT 1;
  IF held IS NOT NULL THEN RAISE EXCEPTION 'held: %', held USING ERRCODE = 'RM001', DETAIL = held; END IF;
  -- Of everybody who is held, each payload's own key must have been put aside before.
  SELECT h.name INTO held FROM legal_hold h JOIN ledger_payload p
      ON starts_with(p.subject, 'person:') AND string_to_array(p.subject, ' ') @> ARRAY[h.key_name]
    WHERE h.released_at IS NULL AND string_to_array(p.subject, ' ') && purged
      AND NOT EXISTS (SELECT FROM held_payload_key k WHERE k.entry_id = p.entry_id AND k.name = p.name) LIMIT 1;
  IF held IS NOT NULL THEN RAISE EXCEPTION 'held: %', held USING ERRCODE = 'RM001', DETAIL = held; END IF;
  PERFORM note_rewrite(purged);
  DELETE FROM payload_key WHERE subject = ANY (purged);
  GET DIAGNOSTICS deleted = ROW_COUNT;
  RETURN deleted;
END $$;

-- Keys that were put aside for holds that are over.
CREATE FUNCTION drop_held_keys() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  deleted bigint;
BEGIN
  LOCK TABLE legal_hold IN SHARE MODE;
  DELETE FROM held_payload_key k USING ledger_payload p WHERE k.entry_id = p.entry_id AND k.name = p.name
    AND NOT EXISTS (SELECT FROM legal_hold h WHERE h.released_at IS NULL
      AND (h.key_name IS NULL OR string_to_array(p.subject, ' ') @> ARRAY[h.key_name]));
  GET DIAGNOSTICS deleted = ROW_COUNT;
  IF deleted > 0 THEN PERFORM note_rewrite('{}'); END IF;
  RETURN deleted;
END $$;

-- Rows of what ended before a moment. Their entries stay.
CREATE FUNCTION purge_ended_rows(before timestamptz, most integer) RETURNS TABLE (relation text, deleted bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF before > clock_timestamp() - interval '1 day' THEN RAISE EXCEPTION 'rows are kept for at least a day'; END IF;
  DELETE FROM approval WHERE id IN (
    SELECT id FROM approval WHERE state IN ('denied', 'expired', 'cancelled', 'consumed', 'stale') AND coalesce(decided_at, expires_at) < before LIMIT most);
  GET DIAGNOSTICS deleted = ROW_COUNT; relation := 'approval'; RETURN NEXT;
  DELETE FROM action a WHERE id IN (
    SELECT id FROM action WHERE state NOT IN ('waiting', 'executing') AND ended_at < before
      AND NOT EXISTS (SELECT FROM approval WHERE approval.action_id = action.id) LIMIT most);
  GET DIAGNOSTICS deleted = ROW_COUNT; relation := 'action'; RETURN NEXT;
  DELETE FROM queue_item WHERE id IN (
    SELECT id FROM queue_item WHERE state IN ('completed', 'set-aside') AND ended_at < before LIMIT most);
  GET DIAGNOSTICS deleted = ROW_COUNT; relation := 'queue_item'; RETURN NEXT;
  DELETE FROM run WHERE id IN (
    SELECT id FROM run WHERE state <> 'running' AND ended_at < before
      AND NOT EXISTS (SELECT FROM queue_item WHERE queue_item.run_id = run.id)
      AND NOT EXISTS (SELECT FROM action WHERE action.run_id = run.id) LIMIT most);
  GET DIAGNOSTICS deleted = ROW_COUNT; relation := 'run'; RETURN NEXT;
END $$;

-- What an agent is given is in the sealed payload of the entry alone; the row keeps the line that people know the work by.
ALTER TABLE queue_item ADD COLUMN payload_entry text;

-- Empties pieces of work about somebody who is erased, and every copy of the line that people knew them by.
CREATE FUNCTION empty_items(items text[]) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  lines text[];
  emptied bigint;
BEGIN
  SELECT array_agg(DISTINCT subject) INTO lines FROM queue_item WHERE id = ANY (items) AND subject <> '[erased]';
  UPDATE queue_item SET subject = '[erased]', payload = '{}', key = NULL,
    state = CASE state WHEN 'ready' THEN 'set-aside' ELSE state END,
    ended_at = CASE state WHEN 'ready' THEN clock_timestamp() ELSE ended_at END
    WHERE id = ANY (items) AND subject <> '[erased]';
  GET DIAGNOSTICS emptied = ROW_COUNT;
  UPDATE run SET binding = jsonb_set(binding::jsonb, '{subject}', '"[erased]"')::json WHERE binding->>'subject' = ANY (lines);
  UPDATE action SET caller = jsonb_set(caller::jsonb, '{run,subject}', '"[erased]"')::json WHERE caller#>>'{run,subject}' = ANY (lines);
  UPDATE approval SET subject = '[erased]' WHERE subject = ANY (lines);
  RETURN emptied;
END $$;

-- What somebody wrote when voting, besides the sealed copy.
CREATE FUNCTION empty_comments(voter text) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  UPDATE approval SET votes = (
      SELECT jsonb_agg(CASE WHEN vote->>'party' = voter THEN vote || '{"comment": null}' ELSE vote END ORDER BY place)
      FROM jsonb_array_elements(votes) WITH ORDINALITY AS v (vote, place))
    WHERE votes @> jsonb_build_array(jsonb_build_object('party', voter))
$$;

REVOKE ALL ON FUNCTION note_rewrite, erase_payload_key, purge_kept_keys, drop_held_keys, purge_ended_rows, empty_items, empty_comments FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_payload_key, purge_kept_keys, drop_held_keys, purge_ended_rows, empty_items, empty_comments TO remit_app;
