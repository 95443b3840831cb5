-- Redeems or refuses each of a batch of codes whose verdict is known, in one transaction. The caller
-- never puts one number into a batch twice.
-- used_at is what makes a code good once. What the account's state forbids is decided only for an
-- approved code, which is then used up all the same; the person has shown to hold the number, so its
-- cooldown ends. A refusal writes an event for the account or, if no account has the number, for the
-- number: as many rows either way.
-- Lock order: users, verifications, numbers (each sorted), the new session, the log.
WITH input AS MATERIALIZED (
  SELECT *
    FROM unnest($1::bytea[], $2::bytea[], $3::uuid[], $4::text[], $5::text[], $6::uuid[],
                $7::text[], $8::text[], $9::uuid[], $10::text[], $11::uuid[], $12::text[],
                $13::uuid[], $14::text[], $15::text[]) WITH ORDINALITY
      AS t(id_hash, phone_hash, user_id, purpose, refusal, session_id,
           client_id, amr, verified_event_id, verified_payload, login_event_id, login_payload,
           failed_event_id, failed_payload, headers, position)
),
moment AS MATERIALIZED (
  SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now_text,
         now() + least($16::bigint, $17::bigint) * interval '1 second' AS idle_expires_at,
         now() + $17::bigint * interval '1 second' AS expires_at
),
account AS MATERIALIZED (
  SELECT u.id, u.status, u.role
    FROM auth.users u
   WHERE u.id = ANY ($3::uuid[])
   ORDER BY u.id
     FOR NO KEY UPDATE
),
verification AS MATERIALIZED (
  SELECT v.id_hash, v.used_at IS NOT NULL AS used, v.expires_at <= now() AS over
    FROM auth.verifications v
   WHERE (SELECT count(*) FROM account) >= 0
     AND v.id_hash = ANY (ARRAY(SELECT id_hash FROM input WHERE refusal = ''))
   ORDER BY v.id_hash
     FOR NO KEY UPDATE
),
decision AS MATERIALIZED (
  SELECT i.*, a.id AS account_id, a.role,
         i.refusal = '' AND NOT v.used AND NOT v.over AS redeemed,
         CASE WHEN i.refusal <> '' THEN i.refusal
              WHEN v.used THEN 'used'
              WHEN v.over THEN 'expired'
              WHEN v.used IS NULL OR a.id IS NULL OR a.status = 'deleted' THEN 'not_found'
              WHEN a.status = 'suspended' THEN 'account_suspended'
              WHEN i.purpose = 'signup' AND a.status = 'active' THEN 'already_registered'
              WHEN i.purpose = 'login' AND a.status = 'pending' THEN 'account_not_verified'
              ELSE '' END AS reason
    FROM input i
    LEFT JOIN account a ON a.id = i.user_id
    LEFT JOIN verification v ON v.id_hash = i.id_hash
),
used AS (
  UPDATE auth.verifications v
     SET used_at = now()
    FROM decision d
   WHERE d.redeemed AND v.id_hash = d.id_hash
),
number AS MATERIALIZED (
  SELECT n.phone_hash
    FROM auth.numbers n
   WHERE n.phone_hash = ANY (ARRAY(SELECT phone_hash FROM decision
                                    WHERE redeemed OR account_id IS NULL))
   ORDER BY n.phone_hash
     FOR NO KEY UPDATE
),
number_changed AS (
  UPDATE auth.numbers n
     SET next_send_at = CASE WHEN d.redeemed THEN now() ELSE n.next_send_at END,
         cooldown_step = CASE WHEN d.redeemed THEN 0 ELSE n.cooldown_step END,
         event_seq = n.event_seq + (d.account_id IS NULL)::integer
    FROM number l JOIN decision d ON d.phone_hash = l.phone_hash
   WHERE n.phone_hash = l.phone_hash
  RETURNING n.phone_hash, n.subject_id, n.event_seq
),
account_changed AS (
  UPDATE auth.users u
     SET event_seq = u.event_seq + CASE WHEN d.reason = '' AND d.purpose = 'signup' THEN 2
                                        ELSE 1 END,
         status = CASE WHEN d.reason = '' THEN 'active' ELSE u.status END,
         verified_at = CASE WHEN d.reason = '' AND d.purpose = 'signup' THEN now()
                            ELSE u.verified_at END,
         updated_at = CASE WHEN d.reason = '' AND d.purpose = 'signup' THEN now()
                           ELSE u.updated_at END
    FROM decision d
   WHERE u.id = d.account_id
  RETURNING u.id, u.event_seq
),
session AS (
  INSERT INTO auth.sessions (id, user_id, client_id, amr, idle_expires_at, expires_at)
  SELECT d.session_id, d.account_id, d.client_id, d.amr, m.idle_expires_at, m.expires_at
    FROM decision d, moment m
   WHERE d.reason = ''
),
logged AS (
  INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload, headers)
  SELECT event_id, topic, key, type, seq, payload::json, headers::json
    FROM (SELECT d.verified_event_id AS event_id, $18 AS topic, d.account_id::text AS key,
                 $19 AS type, u.event_seq - 1 AS seq,
                 replace(d.verified_payload, '{now}', m.now_text) AS payload, d.headers
            FROM decision d JOIN account_changed u ON u.id = d.account_id, moment m
           WHERE d.reason = '' AND d.purpose = 'signup'
          UNION ALL
          SELECT d.login_event_id, $20, d.account_id::text, $21, u.event_seq,
                 replace(d.login_payload, '{now}', m.now_text), d.headers
            FROM decision d JOIN account_changed u ON u.id = d.account_id, moment m
           WHERE d.reason = ''
          UNION ALL
          SELECT d.failed_event_id, $22, coalesce(d.account_id, n.subject_id)::text, $23,
                 coalesce(u.event_seq, n.event_seq),
                 replace(replace(d.failed_payload, '{now}', m.now_text), '{reason}', d.reason),
                 d.headers
            FROM decision d
            LEFT JOIN account_changed u ON u.id = d.account_id
            LEFT JOIN number_changed n ON n.phone_hash = d.phone_hash, moment m
           WHERE d.reason <> ''
             AND (d.account_id IS NOT NULL OR n.phone_hash IS NOT NULL)) AS event
   ORDER BY key, seq
)
SELECT d.position, d.reason, d.role, now() AS began_at, m.idle_expires_at, m.expires_at
  FROM decision d, moment m;
