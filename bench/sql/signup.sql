-- The rows of one sign-up as one single-statement transaction: number, user, verification, two events.
WITH fresh AS (
  SELECT gen_random_uuid() AS user_id, gen_random_uuid() AS challenge_id, gen_random_uuid() AS subject_id,
         gen_random_uuid() AS send_id, gen_random_uuid() AS created_id
), number AS (
  INSERT INTO auth.numbers AS n (phone_hash, subject_id, event_seq, last_grant, cooldown_step, next_send_at, hour_sends, day_sends)
  SELECT sha256(uuid_send(user_id)), subject_id, 1, send_id, 1, now() + interval '30 s', 1, 1 FROM fresh
  ON CONFLICT (phone_hash) DO UPDATE SET event_seq = n.event_seq + 1, last_grant = excluded.last_grant
  RETURNING phone_hash, subject_id, event_seq
), person AS (
  INSERT INTO auth.users (id, phone, status, first_name, last_name, country, person_key, person_key_kek)
  SELECT user_id, 'b' || user_id, 'pending', 'Ada', 'Lovelace', 'DE', decode(repeat('ab', 60), 'hex'), '20260101' FROM fresh
  ON CONFLICT (phone) DO NOTHING
  RETURNING id
), verification AS (
  INSERT INTO auth.verifications (id_hash, challenge_id, purpose, phone, phone_hash, channel, expires_at)
  SELECT sha256(uuid_send(challenge_id)), challenge_id, 'signup', 'b' || user_id, number.phone_hash, 'sms', now() + interval '5 min'
    FROM fresh, number
  RETURNING challenge_id, expires_at
)
INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload, headers)
SELECT created_id, 'user.created', user_id::text, 'user.created', 1,
       ('{"schema_version":1,"user_id":"' || user_id || '","account_type":"user","role":"user","country":"DE","level":0,'
        '"created_at":"2026-01-01T00:00:00.000000Z","sealed_personal":"v1.' || user_id || '.' || repeat('x', 252) || '"}')::json,
       '{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}'::json
  FROM fresh, person
UNION ALL
SELECT send_id, 'verification', number.subject_id::text, 'otp.send', number.event_seq,
       ('{"schema_version":1,"challenge_id":"' || verification.challenge_id || '","subject_id":"' || number.subject_id ||
        '","purpose":"signup","channel":"sms","locale":"","sealed_recipient":"v1.20260101.' || repeat('x', 123) ||
        '","send_number":1,"expires_at":"2026-01-01T00:05:00.000000Z"}')::json,
       '{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","expires_at":"2026-01-01T00:05:00.000000Z"}'::json
  FROM fresh, number, verification
