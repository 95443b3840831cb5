-- The lock of the relay that leads, until this session ends: while we have it no relay begins.
SELECT pg_try_advisory_lock($1::integer, hashtext($2::text)) AS taken
