-- The position is read after the snapshot was taken, so that it lies behind everything visible in it.
SELECT snapshot::text, pg_current_wal_insert_lsn()::text AS written
  FROM (SELECT pg_current_snapshot() AS snapshot OFFSET 0) AS first
