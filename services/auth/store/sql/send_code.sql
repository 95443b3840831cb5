-- Asks for a code for each of a batch: sign-ups, log-ins and resends alike, in one transaction. The
-- caller never puts one number into a batch twice.
-- The row of auth.numbers is the send limit: one upsert decides and always writes, so that a known,
-- an unknown, a pending and a refused number cost the same. A caller was let through exactly if the
-- row names his event as last_grant. Only then: the user (sign-up of a new number), the verification
-- and the events. A log-in of a number without an account is a decoy: same rows, other sealed box.
-- Lock order: verifications of resends, numbers (both sorted), rows that nobody else can have yet,
-- then the log.
WITH input AS MATERIALIZED (
  SELECT *
    FROM unnest($1::bytea[], $2::text[], $3::text[], $4::boolean[], $5::uuid[], $6::uuid[],
                $7::bytea[], $8::uuid[], $9::text[], $10::text[], $11::text[], $12::text[],
                $13::text[],
                -- The account that a sign-up makes if its number has none; else NULLs.
                $14::uuid[], $15::uuid[], $16::text[], $17::text[], $18::text[], $19::text[],
                $20::text[], $21::bytea[], $22::text[], $23::text[], $24::text[])
         WITH ORDINALITY
      AS t(phone_hash, phone, purpose, is_resend, subject_id, send_event_id,
           id_hash, challenge_id, channel, locale, payload, decoy_payload,
           headers,
           user_id, created_event_id, first_name, last_name, email, country,
           salutation, person_key, person_key_kek, created_payload, created_headers,
           position)
),
moment AS MATERIALIZED (
  SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now_text,
         now() + $26::bigint * interval '1 second' AS expires_at,
         to_char((now() + $26::bigint * interval '1 second') AT TIME ZONE 'UTC',
                 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS expires_text,
         $25::bigint[] AS ladder
),
still_open AS MATERIALIZED (
  SELECT v.id_hash
    FROM auth.verifications v
   WHERE v.id_hash = ANY (ARRAY(SELECT id_hash FROM input WHERE is_resend))
     AND v.used_at IS NULL AND v.expires_at > now()
   ORDER BY v.id_hash
     FOR NO KEY UPDATE
),
number AS (
  INSERT INTO auth.numbers AS n (phone_hash, subject_id, event_seq, last_grant, cooldown_step,
                                 next_send_at, hour_started_at, hour_sends, day_started_at,
                                 day_sends)
  SELECT phone_hash, subject_id, 1, send_event_id, 1, now() + m.ladder[1] * interval '1 second',
         now(), 1, now(), 1
    FROM input, moment m
   WHERE NOT is_resend OR id_hash IN (SELECT id_hash FROM still_open)
   ORDER BY phone_hash
  ON CONFLICT (phone_hash) DO UPDATE
    SET (event_seq, last_grant, cooldown_step, next_send_at, hour_started_at, hour_sends,
         day_started_at, day_sends) =
        (SELECT n.event_seq + granted::integer,
                CASE WHEN granted THEN excluded.last_grant ELSE n.last_grant END,
                CASE WHEN granted THEN next_step ELSE n.cooldown_step END,
                CASE WHEN granted THEN now() + ($25::bigint[])[next_step] * interval '1 second'
                     ELSE n.next_send_at END,
                CASE WHEN granted AND hour_over THEN now() ELSE n.hour_started_at END,
                CASE WHEN granted THEN hour_used + 1 ELSE n.hour_sends END,
                CASE WHEN granted AND day_over THEN now() ELSE n.day_started_at END,
                CASE WHEN granted THEN day_used + 1 ELSE n.day_sends END
           FROM (SELECT now() >= n.hour_started_at + interval '1 hour' AS hour_over,
                        now() >= n.day_started_at + interval '1 day' AS day_over) AS windows,
                LATERAL (SELECT CASE WHEN hour_over THEN 0 ELSE n.hour_sends END AS hour_used,
                                CASE WHEN day_over THEN 0 ELSE n.day_sends END AS day_used,
                                least(CASE WHEN day_over THEN 0 ELSE n.cooldown_step END + 1,
                                      cardinality($25::bigint[])) AS next_step) AS used,
                LATERAL (SELECT now() >= n.next_send_at AND hour_used < $27 AND day_used < $28
                             AS granted) AS decision)
  RETURNING n.phone_hash, n.subject_id, n.event_seq, n.last_grant,
            n.next_send_at > now() AS cooling,
            greatest(n.next_send_at,
                     CASE WHEN n.hour_sends >= $27
                          THEN n.hour_started_at + interval '1 hour' END,
                     CASE WHEN n.day_sends >= $28
                          THEN n.day_started_at + interval '1 day' END) AS opens_at
),
granted AS MATERIALIZED (
  SELECT i.*, n.subject_id AS subject, n.event_seq
    FROM number n
    JOIN input i ON i.phone_hash = n.phone_hash AND i.send_event_id = n.last_grant
),
person AS (
  INSERT INTO auth.users (id, phone, status, first_name, last_name, email, country, salutation,
                          locale, person_key, person_key_kek)
  SELECT g.user_id, g.phone, 'pending', g.first_name, g.last_name, g.email, g.country,
         g.salutation, g.locale, g.person_key, g.person_key_kek
    FROM granted g
         -- ON CONFLICT decides; but it waits for whoever is just changing the user's row, and that
         -- may be a redemption that waits for the number held here.
   WHERE g.user_id IS NOT NULL AND NOT EXISTS (SELECT FROM auth.users u WHERE u.phone = g.phone)
   ORDER BY g.phone_hash
  ON CONFLICT (phone) DO NOTHING
  RETURNING id
),
opened AS (
  INSERT INTO auth.verifications (id_hash, challenge_id, purpose, phone, phone_hash, channel,
                                  locale, expires_at)
  SELECT g.id_hash, g.challenge_id, g.purpose, g.phone, g.phone_hash, g.channel, g.locale,
         m.expires_at
    FROM granted g, moment m
   WHERE NOT g.is_resend
),
renewed AS (
  UPDATE auth.verifications v
     SET send_number = v.send_number + 1, channel = g.channel, expires_at = m.expires_at
    FROM granted g, moment m
   WHERE g.is_resend AND v.id_hash = g.id_hash
  RETURNING v.id_hash, v.send_number
),
logged AS (
  INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload, headers)
  SELECT event_id, topic, key, type, seq, payload::json, headers::json
    FROM (SELECT g.created_event_id AS event_id, $29 AS topic, g.user_id::text AS key,
                 $30 AS type, 1 AS seq, replace(g.created_payload, '{now}', m.now_text) AS payload,
                 g.created_headers AS headers
            FROM person p JOIN granted g ON g.user_id = p.id, moment m
          UNION ALL
          SELECT g.send_event_id, $31, g.subject::text, $32, g.event_seq,
                 replace(replace(replace(
                   CASE WHEN g.purpose = 'signup'
                          OR EXISTS (SELECT FROM auth.users u
                                      WHERE u.phone = g.phone AND u.status <> 'deleted')
                        THEN g.payload ELSE g.decoy_payload END,
                   '{subject_id}', g.subject::text),
                   '{send_number}', coalesce(r.send_number, 1)::text),
                   '{expires_at}', m.expires_text),
                 replace(g.headers, '{expires_at}', m.expires_text)
            FROM granted g LEFT JOIN renewed r ON r.id_hash = g.id_hash, moment m) AS event
   ORDER BY key
)
SELECT i.position,
       CASE WHEN n.phone_hash IS NULL THEN 'closed'
            WHEN n.last_grant = i.send_event_id THEN 'granted'
            WHEN n.cooling THEN 'cooling'
            ELSE 'limited' END AS outcome,
       n.opens_at, m.expires_at,
       -- Whoever waited for the row may find the wait over; a refusal still names one.
       greatest(1, ceil(extract(epoch FROM n.opens_at - clock_timestamp()) * 1000))::bigint
         AS wait_ms
  FROM input i LEFT JOIN number n ON n.phone_hash = i.phone_hash, moment m;
