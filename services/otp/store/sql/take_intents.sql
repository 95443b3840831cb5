-- Writes the delivery intents of a batch of SendOtp events, in one transaction. The caller never
-- puts one number into a batch twice.
-- An event that has an intent already (the topic was read again) changes nothing. Whether it is too
-- late decides the database's clock, and it decides before anything else: who cannot open the
-- recipient of an expired event has nothing to complain of. One that is in time and cannot be read,
-- or that names a challenge of another number, gets no intent.
-- Lock order: deliveries, challenges, subjects (each sorted), the log.
WITH input AS MATERIALIZED (
  SELECT *
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::integer[], $6::text[],
                $7::timestamptz[], $8::boolean[], $9::boolean[], $10::bytea[], $11::text[],
                $12::uuid[], $13::text[], $14::text[]) WITH ORDINALITY
      AS t(event_id, challenge_id, subject_id, purpose, send_number, channel,
           expires_at, readable, deliver, decoy_hmac, decoy_key_id,
           log_event_id, payload, headers, position)
),
known AS MATERIALIZED (
  SELECT d.event_id, d.state
    FROM otp.deliveries d
   WHERE d.event_id = ANY ($1::uuid[])
),
acceptable AS MATERIALIZED (
  SELECT i.*,
         CASE WHEN i.expires_at <= now() THEN 'expired'
              WHEN i.deliver THEN 'received'
              ELSE 'decoy' END AS state
    FROM input i
    LEFT JOIN otp.challenges c ON c.id = i.challenge_id
   WHERE (i.expires_at <= now() OR i.readable)
     AND (c.id IS NULL OR c.subject_id = i.subject_id AND c.purpose = i.purpose)
),
taken AS (
  INSERT INTO otp.deliveries (event_id, challenge_id, subject_id, purpose, send_number, state,
                              provider, channel, expires_at)
  SELECT event_id, challenge_id, subject_id, purpose, send_number, state, $15, channel, expires_at
    FROM acceptable
   ORDER BY event_id
  ON CONFLICT (event_id) DO NOTHING
  RETURNING event_id, state
),
fresh AS MATERIALIZED (
  SELECT a.* FROM taken t JOIN acceptable a ON a.event_id = t.event_id
),
-- A decoy's code is renewed with every send, as a real one is, and fits no guess.
challenge AS (
  INSERT INTO otp.challenges AS c (id, subject_id, purpose, newest_send, generation, code_hmac,
                                   code_key_id, max_attempts, expires_at)
  SELECT challenge_id, subject_id, purpose, send_number,
         CASE WHEN state = 'decoy' THEN send_number ELSE 0 END,
         CASE WHEN state = 'decoy' THEN decoy_hmac END,
         CASE WHEN state = 'decoy' THEN decoy_key_id ELSE '' END,
         $16, expires_at
    FROM fresh
   ORDER BY challenge_id
  ON CONFLICT (id) DO UPDATE
    SET newest_send = greatest(c.newest_send, excluded.newest_send),
        (generation, code_hmac, code_key_id, counted_claims, expires_at) =
        (SELECT CASE WHEN renewed THEN excluded.generation ELSE c.generation END,
                CASE WHEN renewed THEN excluded.code_hmac ELSE c.code_hmac END,
                CASE WHEN renewed THEN excluded.code_key_id ELSE c.code_key_id END,
                CASE WHEN renewed THEN '{}' ELSE c.counted_claims END,
                CASE WHEN renewed THEN excluded.expires_at ELSE c.expires_at END
           FROM (SELECT excluded.generation > c.generation AS renewed) AS sent)
  RETURNING c.id
),
subject AS (
  INSERT INTO otp.subjects AS s (subject_id, event_seq)
  SELECT subject_id, CASE WHEN state = 'expired' THEN 1 ELSE 0 END
    FROM fresh
   WHERE (SELECT count(*) FROM challenge) >= 0
   ORDER BY subject_id
  ON CONFLICT (subject_id) DO UPDATE
    SET event_seq = s.event_seq + excluded.event_seq
    WHERE excluded.event_seq > 0
  RETURNING s.subject_id, s.event_seq
),
logged AS (
  INSERT INTO otp.event_log (event_id, topic, key, type, seq, payload, headers)
  SELECT f.log_event_id, $17, f.subject_id::text, $18, s.event_seq,
         replace(replace(f.payload, '{attempt}', '0'), '{now}',
                 to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::json,
         f.headers::json
    FROM fresh f JOIN subject s ON s.subject_id = f.subject_id
   WHERE f.state = 'expired'
   ORDER BY f.subject_id
)
SELECT i.position,
       CASE WHEN k.state IS NOT NULL THEN k.state
            WHEN t.state IS NOT NULL THEN t.state
            WHEN a.event_id IS NULL THEN 'unreadable'
            ELSE 'undecided' END AS state,
       k.state IS NOT NULL AS repeated
  FROM input i
  LEFT JOIN known k ON k.event_id = i.event_id
  LEFT JOIN taken t ON t.event_id = i.event_id
  LEFT JOIN acceptable a ON a.event_id = i.event_id;
