-- One migrating program at a time in this database; waits up to the session's lock_timeout.
SELECT pg_advisory_lock(hashtext('countersign.migrate'))
