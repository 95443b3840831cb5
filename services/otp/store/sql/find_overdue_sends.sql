-- Intents that nobody looks after any more. Calls whose lease ran out: their process died, so nobody
-- knows what came of them. Intents that waited past their time: their record has left the topic, or
-- the provider may not be asked. Reads only; what ends them decides again, so each ends once.
SELECT d.event_id, d.attempt_id, d.challenge_id, d.subject_id, d.provider, d.channel
  FROM otp.deliveries d
 WHERE d.state = 'sending' AND d.lease_until < now()
UNION ALL
SELECT d.event_id, NULL, d.challenge_id, d.subject_id, d.provider, d.channel
  FROM otp.deliveries d
 WHERE d.state = 'received' AND d.expires_at < now() - $1::bigint * interval '1 second'
 LIMIT $2::integer;
