-- Records what came of the provider calls of a batch, each with the event that says so, in one
-- transaction. The caller never puts one number into a batch twice.
-- Only the attempt that began may end: a row that meanwhile has another attempt is left alone. An
-- attempt given up as `unknown` because its lease ran out may still be told the truth by its call.
-- A repeat changes nothing.
-- Lock order: deliveries, challenges, subjects (each sorted), the log.
WITH input AS MATERIALIZED (
  SELECT *
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::integer[], $6::text[],
                $7::uuid[], $8::text[], $9::text[], $10::text[], $11::text[]) WITH ORDINALITY
      AS t(event_id, attempt_id, state, provider_sid, provider_code, reason_class,
           log_event_id, topic, type, payload, headers, position)
),
delivery AS MATERIALIZED (
  SELECT d.event_id, d.challenge_id, d.subject_id, d.send_number, d.state, d.attempt_id,
         d.attempt_number
    FROM otp.deliveries d
   WHERE d.event_id = ANY ($1::uuid[])
   ORDER BY d.event_id
     FOR NO KEY UPDATE
),
decision AS MATERIALIZED (
  SELECT i.*, d.challenge_id, d.subject_id, d.send_number, d.attempt_number, d.state AS was,
         coalesce(d.attempt_id = i.attempt_id
                  AND (d.state = 'sending'
                       OR d.state = 'unknown' AND i.state IN ('sent', 'failed')), false) AS applies
    FROM input i LEFT JOIN delivery d ON d.event_id = i.event_id
),
changed AS (
  UPDATE otp.deliveries d
     SET state = x.state, provider_sid = x.provider_sid, provider_code = x.provider_code,
         reason_class = x.reason_class, lease_until = NULL, updated_at = now()
    FROM decision x
   WHERE x.applies AND d.event_id = x.event_id
),
challenge AS MATERIALIZED (
  SELECT c.id
    FROM otp.challenges c
   WHERE c.id = ANY (ARRAY(SELECT challenge_id FROM decision
                            WHERE applies AND state = 'sent' AND provider_sid <> ''))
   ORDER BY c.id
     FOR NO KEY UPDATE
),
-- Where the provider makes the code, guesses are put to it by this id.
known_to_provider AS (
  UPDATE otp.challenges c
     SET provider_sid = x.provider_sid
    FROM challenge l JOIN decision x ON x.challenge_id = l.id
   WHERE c.id = l.id AND x.applies AND c.generation = x.send_number
),
subject AS MATERIALIZED (
  SELECT s.subject_id
    FROM otp.subjects s
   WHERE (SELECT count(*) FROM challenge) >= 0
     AND s.subject_id = ANY (ARRAY(SELECT subject_id FROM decision
                                    WHERE applies AND state <> 'received'))
   ORDER BY s.subject_id
     FOR NO KEY UPDATE
),
subject_changed AS (
  UPDATE otp.subjects s
     SET event_seq = s.event_seq + 1
    FROM subject l
   WHERE s.subject_id = l.subject_id
  RETURNING s.subject_id, s.event_seq
),
logged AS (
  INSERT INTO otp.event_log (event_id, topic, key, type, seq, payload, headers)
  SELECT x.log_event_id, x.topic, x.subject_id::text, x.type, s.event_seq,
         replace(replace(x.payload, '{attempt}', x.attempt_number::text), '{now}',
                 to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::json,
         x.headers::json
    FROM decision x JOIN subject_changed s ON s.subject_id = x.subject_id
   WHERE x.applies AND x.state <> 'received'
   ORDER BY x.subject_id
)
SELECT position, CASE WHEN applies THEN state ELSE coalesce(was, 'unknown') END AS state
  FROM decision;
