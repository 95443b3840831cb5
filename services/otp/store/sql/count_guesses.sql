-- Counts each guess of a batch before it is compared, in one transaction. The caller never puts one
-- challenge into a batch twice.
-- The challenge's row is its limit, the subject's row the limit of its number's day; guesses at
-- several challenges of one number are counted one after the other, by rank. A claim counted before
-- is not counted again. Rows are read under their locks.
-- That the last allowed guess was wrong is told when it is known (record_verdicts.sql). If the
-- process died in between, the next guess that is refused for it tells it here.
-- Lock order: challenges, subjects (each sorted), the log.
WITH input AS MATERIALIZED (
  SELECT *
    FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::bytea[], $5::uuid[], $6::text[],
                $7::text[]) WITH ORDINALITY
      AS t(challenge_id, purpose, context_digest, claim_id, log_event_id, payload, headers,
           position)
),
challenge AS MATERIALIZED (
  SELECT c.*
    FROM otp.challenges c
   WHERE c.id = ANY ($1::uuid[])
   ORDER BY c.id
     FOR NO KEY UPDATE
),
found AS MATERIALIZED (
  SELECT i.*, c.subject_id, c.generation, c.code_hmac, c.code_key_id, c.provider_sid, c.attempts,
         c.max_attempts, c.open_claims, c.exceeded_logged,
         CASE WHEN c.id IS NULL OR c.purpose <> i.purpose
                OR c.context_digest <> i.context_digest
                OR c.code_hmac IS NULL AND c.provider_sid = '' THEN 'not_found'
              WHEN c.expires_at <= now() THEN 'expired'
              WHEN c.approved_claim = i.claim_id THEN 'approved'
              WHEN c.approved_at IS NOT NULL THEN 'used'
              WHEN i.claim_id = ANY (c.counted_claims) THEN 'repeated'
              WHEN c.attempts >= c.max_attempts THEN 'exhausted'
              ELSE 'new' END AS state
    FROM input i LEFT JOIN challenge c ON c.id = i.challenge_id
),
subject AS MATERIALIZED (
  SELECT s.subject_id, s.day_started_at + interval '1 day' <= now() AS day_over, s.day_failures
    FROM otp.subjects s
   WHERE s.subject_id = ANY (ARRAY(SELECT subject_id FROM found
                                    WHERE state IN ('new', 'exhausted')))
   ORDER BY s.subject_id
     FOR NO KEY UPDATE
),
decision AS MATERIALIZED (
  SELECT f.*,
         f.state = 'new'
           AND CASE WHEN s.day_over THEN 0 ELSE s.day_failures END
               + row_number() OVER (PARTITION BY f.subject_id, f.state ORDER BY f.challenge_id)
               <= $8::integer AS counted,
         f.state = 'exhausted' AND NOT f.exceeded_logged AS tells
    FROM found f LEFT JOIN subject s ON s.subject_id = f.subject_id
),
challenge_changed AS (
  UPDATE otp.challenges c
     SET attempts = c.attempts + d.counted::integer,
         counted_claims = CASE WHEN d.counted THEN c.counted_claims || d.claim_id
                               ELSE c.counted_claims END,
         open_claims = CASE WHEN d.counted AND c.code_hmac IS NULL
                            THEN c.open_claims || d.claim_id ELSE c.open_claims END,
         exceeded_logged = c.exceeded_logged OR d.tells
    FROM decision d
   WHERE c.id = d.challenge_id AND (d.counted OR d.tells)
),
subject_changed AS (
  UPDATE otp.subjects s
     SET day_failures = CASE WHEN n.counted = 0 THEN s.day_failures
                             WHEN l.day_over THEN n.counted
                             ELSE s.day_failures + n.counted END,
         day_started_at = CASE WHEN n.counted > 0 AND l.day_over THEN now()
                               ELSE s.day_started_at END,
         event_seq = s.event_seq + n.told
    FROM subject l
    JOIN (SELECT subject_id, count(*) FILTER (WHERE counted)::integer AS counted,
                 count(*) FILTER (WHERE tells)::integer AS told
            FROM decision
           WHERE counted OR tells
           GROUP BY subject_id) AS n ON n.subject_id = l.subject_id
   WHERE s.subject_id = l.subject_id
  RETURNING s.subject_id, s.event_seq - n.told AS seq_before
),
logged AS (
  INSERT INTO otp.event_log (event_id, topic, key, type, seq, payload, headers)
  SELECT log_event_id, $9, subject_id::text, $10, seq,
         replace(replace(replace(payload, '{subject_id}', subject_id::text), '{attempts}',
                         attempts::text), '{now}',
                 to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::json,
         headers::json
    FROM (SELECT d.log_event_id, d.subject_id, d.payload, d.headers, d.attempts,
                 s.seq_before + row_number() OVER (PARTITION BY d.subject_id
                                                   ORDER BY d.challenge_id) AS seq
            FROM decision d JOIN subject_changed s ON s.subject_id = d.subject_id
           WHERE d.tells) AS event
   ORDER BY subject_id, seq
)
SELECT d.position,
       CASE WHEN d.counted THEN 'compare'
            WHEN d.state = 'new' THEN 'exhausted'
            WHEN d.state <> 'repeated' THEN d.state
            WHEN d.code_hmac IS NOT NULL OR d.claim_id = ANY (d.open_claims) THEN 'compare'
            ELSE 'wrong' END AS standing,
       d.subject_id, d.generation, d.code_hmac, d.code_key_id, d.provider_sid,
       greatest(d.max_attempts - d.attempts - d.counted::integer, 0) AS attempts_left,
       d.state = 'repeated' AND d.open_claims = ARRAY[d.claim_id] AS only_open_claim
  FROM decision d;
