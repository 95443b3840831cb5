-- Retention of one log by age in milliseconds: at most one day for each call; the function decides
-- what may go. One file for each schema, so that no statement is assembled.
SELECT otp.log_drop(now() - $1::bigint * interval '1 millisecond', $2::pg_snapshot) AS dropped
