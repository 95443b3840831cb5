-- Begins the provider calls of a batch of intents, in one transaction: from here on a code may be on
-- its way, so its HMAC and a lease are committed before anything leaves. The caller never puts one
-- number into a batch twice.
-- Another call to the same number may be under way in another replica: one seen here makes the
-- intent wait ('sending'), one not seen yet violates deliveries_one_sending.
-- A repeat of the same attempt begins nothing twice and only renews the lease.
-- Lock order: deliveries, challenges, subjects (each sorted), the log.
WITH input AS MATERIALIZED (
  SELECT *
    FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::text[], $5::uuid[], $6::text[],
                $7::text[]) WITH ORDINALITY
      AS t(event_id, attempt_id, code_hmac, code_key_id, log_event_id, payload, headers, position)
),
delivery AS MATERIALIZED (
  SELECT d.*
    FROM otp.deliveries d
   WHERE d.event_id = ANY ($1::uuid[])
   ORDER BY d.event_id
     FOR NO KEY UPDATE
),
challenge AS MATERIALIZED (
  SELECT c.id, c.subject_id, c.purpose, c.newest_send, c.approved_at IS NOT NULL AS approved
    FROM otp.challenges c
   WHERE c.id = ANY (ARRAY(SELECT challenge_id FROM delivery))
   ORDER BY c.id
     FOR NO KEY UPDATE
),
decision AS MATERIALIZED (
  SELECT i.*, d.challenge_id, d.subject_id, d.purpose, d.send_number, d.attempt_number,
         d.expires_at, d.state AS was,
         CASE WHEN d.event_id IS NULL THEN 'unknown'
              WHEN d.state = 'sending' AND d.attempt_id = i.attempt_id THEN 'begun'
              WHEN d.state <> 'received' THEN d.state
              WHEN d.expires_at <= now() + interval '1 second' THEN 'expired'
              WHEN c.id IS NULL OR c.approved OR c.newest_send > d.send_number THEN 'superseded'
              WHEN EXISTS (SELECT FROM otp.deliveries o
                            WHERE o.provider = $8 AND o.subject_id = d.subject_id
                              AND o.state = 'sending') THEN 'sending'
              ELSE 'begun' END AS verdict
    FROM input i
    LEFT JOIN delivery d ON d.event_id = i.event_id
    LEFT JOIN challenge c ON c.id = d.challenge_id AND c.subject_id = d.subject_id
                         AND c.purpose = d.purpose
),
changed AS (
  UPDATE otp.deliveries d
     SET state = CASE WHEN x.verdict = 'begun' THEN 'sending' ELSE x.verdict END,
         provider = $8,
         attempt_number = d.attempt_number + (x.verdict = 'begun' AND x.was = 'received')::integer,
         attempt_id = x.attempt_id,
         lease_until = CASE WHEN x.verdict = 'begun'
                            THEN now() + $9::bigint * interval '1 millisecond' END,
         updated_at = now()
    FROM decision x
   WHERE d.event_id = x.event_id
     AND (x.verdict = 'begun' OR x.was = 'received' AND x.verdict IN ('expired', 'superseded'))
  RETURNING d.event_id, d.attempt_number
),
renewed AS (
  UPDATE otp.challenges c
     SET generation = x.send_number, code_hmac = x.code_hmac, code_key_id = x.code_key_id,
         provider_sid = '', counted_claims = '{}', open_claims = '{}', expires_at = x.expires_at
    FROM decision x
   WHERE c.id = x.challenge_id AND x.verdict = 'begun' AND x.was = 'received'
),
subject AS MATERIALIZED (
  SELECT s.subject_id
    FROM otp.subjects s
   WHERE s.subject_id = ANY (ARRAY(SELECT subject_id FROM decision
                                    WHERE verdict = 'expired' AND was = 'received'))
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
  SELECT x.log_event_id, $10, x.subject_id::text, $11, s.event_seq,
         replace(replace(x.payload, '{attempt}', x.attempt_number::text), '{now}',
                 to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::json,
         x.headers::json
    FROM decision x JOIN subject_changed s ON s.subject_id = x.subject_id
   WHERE x.verdict = 'expired' AND x.was = 'received'
   ORDER BY x.subject_id
)
SELECT x.position, x.verdict, c.attempt_number,
       floor(extract(epoch FROM x.expires_at - now()))::bigint AS life_seconds,
       coalesce(p.provider_sid, '') AS previous_sid,
       coalesce(p.ambiguous, false) AS previous_unknown
  FROM decision x
  LEFT JOIN changed c ON c.event_id = x.event_id
  -- Only where the provider makes the code: what may still be open there for this number.
  LEFT JOIN LATERAL (
    SELECT max(o.provider_sid) FILTER (WHERE o.state = 'sent' AND o.newest = 1) AS provider_sid,
           bool_or(o.state = 'unknown' AND o.updated_at > o.last_sent) AS ambiguous
      FROM (SELECT o.provider_sid, o.state, o.updated_at,
                   row_number() OVER (PARTITION BY o.state ORDER BY o.updated_at DESC) AS newest,
                   coalesce(max(o.updated_at) FILTER (WHERE o.state = 'sent') OVER (),
                            '-infinity') AS last_sent
              FROM otp.deliveries o
             WHERE o.subject_id = x.subject_id AND o.purpose = x.purpose AND o.provider = $8
               AND o.state IN ('sent', 'unknown')
               AND o.updated_at > now() - interval '1 day'
               AND NOT EXISTS (SELECT FROM otp.challenges a
                                WHERE a.id = o.challenge_id AND a.approved_at IS NOT NULL
                                  AND a.provider_sid = o.provider_sid)) AS o
  ) AS p ON $12::boolean AND x.verdict = 'begun';
