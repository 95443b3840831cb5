-- The daily partitions of one log that are missing from today on. One file for each schema, so that
-- no statement is assembled.
SELECT otp.log_make($1::integer) AS made
