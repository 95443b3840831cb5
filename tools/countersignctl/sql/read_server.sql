-- Which server and history this is, how far its WAL goes, and which session has the lock of the
-- relay that leads ($1, hashtext($2)). The timeline is read from the name of a WAL file, since the
-- control file tells the old one until the first checkpoint after a promotion. An oid has no sign,
-- a hash has.
SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system_id,
       ('x' || left(pg_walfile_name(flushed), 8))::bit(32)::integer AS timeline,
       flushed::text AS flushed,
       (SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
         WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted
           AND l.classid::bigint = $1::bigint
           AND l.objid::bigint = hashtext($2::text)::bigint & 4294967295
           AND l.objsubid = 2) AS leader_pid
  FROM pg_current_wal_flush_lsn() AS flushed
