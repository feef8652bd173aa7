-- What people wrote when they voted stands in the request's row besides: an erasure of somebody whom the request was about takes it from there.
-- The sealed one is the voter's.
CREATE FUNCTION empty_comments_about(requests text[]) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  UPDATE approval SET ended_reason = NULL, votes = (
      SELECT coalesce(jsonb_agg(vote || '{"comment": null}' ORDER BY place), '[]')
      FROM jsonb_array_elements(votes) WITH ORDINALITY AS v (vote, place))
    WHERE id = ANY (requests)
$$;
REVOKE ALL ON FUNCTION empty_comments_about FROM PUBLIC;
GRANT EXECUTE ON FUNCTION empty_comments_about TO remit_app;
