-- Where the relay's slot stands. `retained` is what the slot keeps on disk, `lag` what is not in
-- Kafka yet; both in bytes of WAL. No row: there is no such slot.
SELECT s.active,
       coalesce(s.wal_status, '') AS wal_status,
       coalesce(s.confirmed_flush_lsn::text, '') AS confirmed,
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), s.confirmed_flush_lsn), 0)::bigint AS lag_bytes,
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn), 0)::bigint AS retained_bytes,
       coalesce(s.safe_wal_size, -1)::bigint AS safe_bytes
  FROM pg_replication_slots s
 WHERE s.slot_name = $1::text AND s.slot_type = 'logical'
