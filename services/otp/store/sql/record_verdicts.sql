-- Records what the comparison of each guess of a batch came to, in one transaction. The caller never
-- puts one challenge into a batch twice.
-- The first right claim is approved, and no other ever; it was no failure, so the number's day gets
-- it back. That a guess was wrong is told only if it was the last. What a resend has replaced
-- meanwhile is not right any more. A claim for which the provider has no verification any more stays
-- open: it may be the one that used it up. A repeat changes nothing and is answered alike.
-- Lock order: challenges, subjects (each sorted), the log.
WITH input AS MATERIALIZED (
  SELECT *
    FROM unnest($1::uuid[], $2::bytea[], $3::integer[], $4::text[], $5::uuid[], $6::text[],
                $7::text[]) WITH ORDINALITY
      AS t(challenge_id, claim_id, generation, found, log_event_id, payload, headers, position)
),
challenge AS MATERIALIZED (
  SELECT c.id, c.subject_id, c.generation, c.attempts, c.max_attempts, c.open_claims,
         c.exceeded_logged, c.expires_at <= now() AS over, c.approved_claim,
         c.approved_at IS NOT NULL AS approved
    FROM otp.challenges c
   WHERE c.id = ANY ($1::uuid[])
   ORDER BY c.id
     FOR NO KEY UPDATE
),
decision AS MATERIALIZED (
  SELECT i.*, c.subject_id, c.attempts, c.max_attempts,
         CASE WHEN c.id IS NULL THEN 'not_found'
              WHEN c.approved_claim = i.claim_id THEN 'approved'
              WHEN i.found IN ('right', 'gone') AND c.approved THEN 'used'
              WHEN i.found = 'right' AND c.generation = i.generation THEN 'approved'
              WHEN i.found = 'gone' AND c.over THEN 'expired'
              WHEN i.found = 'gone' THEN 'not_found'
              ELSE 'wrong' END AS verdict,
         i.found = 'right' AND NOT c.approved AND c.generation = i.generation AS approves,
         i.found = 'wrong' AND c.attempts >= c.max_attempts AND NOT c.exceeded_logged AS tells,
         i.found <> 'gone' AND i.claim_id = ANY (c.open_claims) AS closes
    FROM input i LEFT JOIN challenge c ON c.id = i.challenge_id
),
challenge_changed AS (
  UPDATE otp.challenges c
     SET open_claims = CASE WHEN d.closes THEN array_remove(c.open_claims, d.claim_id)
                            ELSE c.open_claims END,
         approved_at = CASE WHEN d.approves THEN now() ELSE c.approved_at END,
         approved_claim = CASE WHEN d.approves THEN d.claim_id ELSE c.approved_claim END,
         exceeded_logged = c.exceeded_logged OR d.tells
    FROM decision d
   WHERE c.id = d.challenge_id AND (d.approves OR d.tells OR d.closes)
),
subject AS MATERIALIZED (
  SELECT s.subject_id
    FROM otp.subjects s
   WHERE s.subject_id = ANY (ARRAY(SELECT subject_id FROM decision
                                    WHERE approves OR tells))
   ORDER BY s.subject_id
     FOR NO KEY UPDATE
),
subject_changed AS (
  UPDATE otp.subjects s
     SET day_failures = greatest(s.day_failures - n.approved, 0),
         event_seq = s.event_seq + n.told
    FROM subject l
    JOIN (SELECT subject_id, count(*) FILTER (WHERE approves)::integer AS approved,
                 count(*) FILTER (WHERE approves OR tells)::integer AS told
            FROM decision
           GROUP BY subject_id) AS n ON n.subject_id = l.subject_id
   WHERE s.subject_id = l.subject_id
  RETURNING s.subject_id, s.event_seq - n.told AS seq_before
),
logged AS (
  INSERT INTO otp.event_log (event_id, topic, key, type, seq, payload, headers)
  SELECT log_event_id, topic, subject_id::text, type, seq,
         replace(replace(replace(payload, '{subject_id}', subject_id::text), '{attempts}',
                         attempts::text), '{now}',
                 to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::json,
         headers::json
    FROM (SELECT d.log_event_id, d.subject_id, d.payload, d.headers, d.attempts,
                 CASE WHEN d.approves THEN $8::text ELSE $10::text END AS topic,
                 CASE WHEN d.approves THEN $9::text ELSE $11::text END AS type,
                 s.seq_before + row_number() OVER (PARTITION BY d.subject_id
                                                   ORDER BY d.challenge_id) AS seq
            FROM decision d JOIN subject_changed s ON s.subject_id = d.subject_id
           WHERE d.approves OR d.tells) AS event
   ORDER BY subject_id, seq
)
SELECT d.position, d.verdict,
       greatest(d.max_attempts - d.attempts, 0) AS attempts_left
  FROM decision d;
