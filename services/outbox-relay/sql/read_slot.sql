-- What the slot keeps and how much more may be written until it can be lost, in bytes of WAL. That is not what the relay is
-- behind: a transaction that stays open keeps the WAL since its begin, too. The server says nothing where it sets no limit.
SELECT coalesce(wal_status, '') AS wal_status,
       pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint AS retained,
       safe_wal_size AS safe
  FROM pg_catalog.pg_replication_slots
 WHERE slot_name = $1::text AND slot_type = 'logical'
