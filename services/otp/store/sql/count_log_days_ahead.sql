-- For the alarm: on how many days after today events can be written.
SELECT otp.log_days_ahead() AS days;
