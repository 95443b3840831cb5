-- migrate:up
-- The log is the outbox: one insert-only table, written in the transaction of the change it tells.
-- UPDATE, DELETE and TRUNCATE are refused by the database itself, for the owner too and on every
-- partition; time partitions leave through log_drop only.

DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'countersign_auth') THEN
    CREATE ROLE countersign_auth LOGIN;
  END IF;
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'countersign_relay') THEN
    -- REPLICATION lets it stream this database logically; pg_hba.conf must reject it the
    -- pseudo-database "replication", so that it cannot take a base backup.
    CREATE ROLE countersign_relay LOGIN REPLICATION;
  END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS auth;
REVOKE ALL ON SCHEMA auth FROM PUBLIC;
GRANT USAGE ON SCHEMA auth TO countersign_auth, countersign_relay;

-- Cache 1: ids are drawn under the lock of the event's key, so id order is order per key.
CREATE SEQUENCE auth.event_log_id AS bigint CACHE 1;
GRANT USAGE ON SEQUENCE auth.event_log_id TO countersign_auth;

CREATE TABLE auth.event_log (
  id bigint NOT NULL DEFAULT nextval('auth.event_log_id'),
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  event_id uuid NOT NULL,
  topic text NOT NULL CHECK (topic <> ''),
  key text NOT NULL,
  type text NOT NULL,
  seq bigint NOT NULL CHECK (seq > 0),
  -- json, not jsonb: the relay sends the bytes as they were written.
  payload json NOT NULL,
  headers json NOT NULL DEFAULT '{}',
  occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (id, occurred_at)
) PARTITION BY RANGE (occurred_at);
GRANT INSERT, SELECT ON auth.event_log TO countersign_auth;
GRANT SELECT ON auth.event_log TO countersign_relay;

CREATE FUNCTION auth.log_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'auth.event_log is append-only: % refused', TG_OP USING ERRCODE = '42501';
END
$$;
CREATE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON auth.event_log
  FOR EACH ROW EXECUTE FUNCTION auth.log_refuse_change();
CREATE TRIGGER append_only_table BEFORE TRUNCATE ON auth.event_log
  FOR EACH STATEMENT EXECUTE FUNCTION auth.log_refuse_change();

-- Makes the daily partitions (UTC) from today to `days_ahead` days on; returns how many it made.
-- CREATE LIKE, CHECK, then ATTACH waits 5 ms behind a long transaction where PARTITION OF blocked an
-- insert for 2.4 s. Safe to call at any time, by several callers.
CREATE FUNCTION auth.log_make(days_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '50ms'
AS $$
DECLARE
  first_day date := (now() AT TIME ZONE 'UTC')::date;
  day date;
  partition text;
  made integer := 0;
BEGIN
  -- Another caller's turn may take longer than a table lock may.
  SET LOCAL lock_timeout = '10s';
  PERFORM pg_advisory_xact_lock(hashtext('auth.log_make'));
  SET LOCAL lock_timeout = '50ms';
  FOR step IN 0 .. least(days_ahead, 60) LOOP
    day := first_day + step;
    partition := 'event_log_' || to_char(day, 'YYYYMMDD');
    CONTINUE WHEN to_regclass('auth.' || partition) IS NOT NULL;
    FOR attempt IN 1 .. 40 LOOP
      BEGIN
        EXECUTE format('CREATE TABLE auth.%I (LIKE auth.event_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
        EXECUTE format('ALTER TABLE auth.%I ADD CONSTRAINT day_of_partition CHECK '
                       '(occurred_at >= %L AND occurred_at < %L)', partition,
                       day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
        EXECUTE format('CREATE TRIGGER append_only_table BEFORE TRUNCATE ON auth.%I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION auth.log_refuse_change()', partition);
        EXECUTE format('ALTER TABLE auth.event_log ATTACH PARTITION auth.%I FOR VALUES FROM (%L) TO (%L)',
                       partition,
                       day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
        made := made + 1;
        EXIT;
      EXCEPTION WHEN lock_not_available THEN
        IF attempt = 40 THEN RAISE; END IF;
        PERFORM pg_sleep(0.05);
      END;
    END LOOP;
  END LOOP;
  RETURN made;
END
$$;

-- The partitions whose day ended before `before`, oldest first. A day that is not over is none of
-- them, whatever `before` says.
CREATE FUNCTION auth.log_ended(before timestamptz) RETURNS TABLE (partition regclass, day date)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- Materialized: names of other tables are no dates.
  WITH partitions AS MATERIALIZED (
    SELECT c.oid, c.relname
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'auth.event_log'::regclass
  )
  SELECT p.oid::regclass, d.day
    FROM partitions p, LATERAL (SELECT to_date(right(p.relname, 8), 'YYYYMMDD') AS day) d
   WHERE (d.day + 1)::timestamp AT TIME ZONE 'UTC' <= least(before, now())
   ORDER BY d.day
$$;

-- Drops the oldest partition, if its day ended before `before` and all of its rows are visible in
-- `settled`: the snapshot up to which the relay has everything in Kafka. Returns how many it dropped,
-- 1 or 0, so that one transaction keeps the log locked for no longer than one drop takes: call it
-- until it says 0. DETACH CONCURRENTLY is not for functions; a bounded lock is.
CREATE FUNCTION auth.log_drop(before timestamptz, settled pg_snapshot) RETURNS integer
LANGUAGE plpgsql STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '50ms'
AS $$
DECLARE
  oldest text;
  unsettled boolean;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'log_drop looks twice and must see what was committed between: read committed only';
  END IF;
  -- Somebody else does it now.
  IF NOT pg_try_advisory_xact_lock(hashtext('auth.log_drop')) THEN RETURN 0; END IF;
  SELECT partition INTO oldest FROM auth.log_ended(before) LIMIT 1;
  IF oldest IS NULL THEN RETURN 0; END IF;
  -- Rows of a transaction that is still open cannot be seen: it is waited for before anybody looks,
  -- and none can write to that day afterwards. Who reads or writes other days does not wait.
  SET LOCAL lock_timeout = '2s';
  EXECUTE format('LOCK TABLE ONLY %s IN SHARE MODE', oldest);
  SET LOCAL lock_timeout = '50ms';
  EXECUTE format('SELECT EXISTS (SELECT 1 FROM %s WHERE NOT pg_visible_in_snapshot(xid, $1))', oldest)
    INTO unsettled USING settled;
  IF unsettled THEN RETURN 0; END IF;
  FOR attempt IN 1 .. 40 LOOP
    BEGIN
      EXECUTE format('ALTER TABLE auth.event_log DETACH PARTITION %s', oldest);
      EXECUTE format('DROP TABLE %s', oldest);
      RETURN 1;
    EXCEPTION WHEN lock_not_available THEN
      IF attempt = 40 THEN RAISE; END IF;
      PERFORM pg_sleep(0.05);
    END;
  END LOOP;
END
$$;

-- What calls of log_drop would drop now, without a lock that anybody waits for.
CREATE FUNCTION auth.log_droppable(before timestamptz, settled pg_snapshot)
RETURNS TABLE (name text, bytes bigint)
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  ended record;
  unsettled boolean;
BEGIN
  FOR ended IN SELECT partition FROM auth.log_ended(before) LOOP
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %s WHERE NOT pg_visible_in_snapshot(xid, $1))',
                   ended.partition) INTO unsettled USING settled;
    EXIT WHEN unsettled;
    SELECT relname, pg_total_relation_size(oid) INTO name, bytes FROM pg_class WHERE oid = ended.partition;
    RETURN NEXT;
  END LOOP;
END
$$;

-- Whole days for which partitions exist after today: the alarm's figure.
CREATE FUNCTION auth.log_days_ahead() RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(max(to_date(right(c.relname, 8), 'YYYYMMDD')) - (now() AT TIME ZONE 'UTC')::date, -1)
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
   WHERE i.inhparent = 'auth.event_log'::regclass
$$;

-- How many days ago the day of the oldest partition was: the figure of the alarm for days that should
-- have been dropped.
CREATE FUNCTION auth.log_days_kept() RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce((now() AT TIME ZONE 'UTC')::date - min(day), 0) FROM auth.log_ended('infinity')
$$;

REVOKE ALL ON FUNCTION auth.log_make(integer), auth.log_ended(timestamptz),
  auth.log_drop(timestamptz, pg_snapshot), auth.log_droppable(timestamptz, pg_snapshot),
  auth.log_days_ahead(), auth.log_days_kept(), auth.log_refuse_change() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.log_make(integer), auth.log_days_ahead(), auth.log_days_kept()
  TO countersign_auth;

SELECT auth.log_make(14);

-- Before any slot: a slot older than its publication never decodes again.
CREATE PUBLICATION countersign_auth FOR TABLE auth.event_log
  WITH (publish = 'insert', publish_via_partition_root = true);

-- migrate:down
DROP PUBLICATION countersign_auth;
DROP TABLE auth.event_log;
DROP SEQUENCE auth.event_log_id;
DROP FUNCTION auth.log_make(integer), auth.log_drop(timestamptz, pg_snapshot),
  auth.log_droppable(timestamptz, pg_snapshot), auth.log_ended(timestamptz), auth.log_days_ahead(),
  auth.log_days_kept(), auth.log_refuse_change();
