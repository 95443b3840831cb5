-- Asked after a log was read: everything that was seen there was committed before this position.
SELECT pg_current_wal_insert_lsn()::text AS written
