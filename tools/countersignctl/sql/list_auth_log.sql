-- What log_drop would drop, by its rules and without its locks: the days that ended before, up to
-- the first one with a row that is not visible in the snapshot.
WITH ended AS (
  SELECT c.oid, c.relname, to_date(right(c.relname, 8), 'YYYYMMDD') AS day
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
   WHERE i.inhparent = 'auth.event_log'::regclass
     AND (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp AT TIME ZONE 'UTC'
         <= now() - $1::bigint * interval '1 millisecond'
), unsettled AS (
  SELECT (min(occurred_at) AT TIME ZONE 'UTC')::date AS day
    FROM auth.event_log
   WHERE occurred_at < now() - $1::bigint * interval '1 millisecond'
     AND NOT pg_visible_in_snapshot(xid, $2::pg_snapshot)
)
SELECT ended.relname::text AS name, pg_total_relation_size(ended.oid)::bigint AS bytes
  FROM ended, unsettled
 WHERE unsettled.day IS NULL OR ended.day < unsettled.day
 ORDER BY ended.relname
