-- For the alarms: on how many days after today events can be written, and how old the oldest day is.
SELECT otp.log_days_ahead() AS ahead, otp.log_days_kept() AS kept;
