-- Where the WAL ends, how far the last of the standbys has it on disk, and which one that is. A standby's own slot knows it
-- also while the standby is away, and everybody may read it; one that never streamed has no position.
SELECT pg_current_wal_insert_lsn()::text AS written,
       coalesce(slot.restart_lsn, '0/0')::text AS flushed,
       awaited.name AS last
  FROM unnest($1::text[]) AS awaited(name)
  LEFT JOIN pg_catalog.pg_replication_slots AS slot ON slot.slot_name = awaited.name AND slot.slot_type = 'physical'
 ORDER BY coalesce(slot.restart_lsn, '0/0')
 LIMIT 1
