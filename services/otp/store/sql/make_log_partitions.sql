-- Daily partitions of the log, made ahead: an insert without a partition fails.
SELECT otp.log_make($1::integer) AS made;
