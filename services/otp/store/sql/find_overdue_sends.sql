-- Calls whose lease ran out: their process died, so nobody knows what came of them. Reads only; the
-- attempt id makes sure that each is given up once, by whoever gets there first.
SELECT d.event_id, d.attempt_id, d.challenge_id, d.subject_id, d.provider, d.channel
  FROM otp.deliveries d
 WHERE d.state = 'sending' AND d.lease_until < now()
 ORDER BY d.lease_until
 LIMIT $1::integer;
