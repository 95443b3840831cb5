-- What log_drop would drop, by the same rules and without its locks. One file for each schema, so
-- that no statement is assembled.
SELECT name, bytes
  FROM otp.log_droppable(now() - $1::bigint * interval '1 millisecond', $2::pg_snapshot)
