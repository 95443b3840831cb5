-- Trades the refresh tokens of a batch for their children, in one transaction. The caller never puts
-- one session into a batch twice.
-- A session has one newest token, the one whose position is refresh_counter. It is rotated; its
-- parent, for as long as an answer may still be lost on its way, is answered with the same child
-- again; every other token was used before, so one of its holders is not the person and the session
-- ends. Rows are read under their locks, so whoever waited here decides by what the other did.
-- A repeat changes nothing and writes no event: it is the same decision.
-- Lock order: users, sessions (each sorted), the log.
WITH input AS MATERIALIZED (
  SELECT *
    FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[])
      WITH ORDINALITY
      AS t(session_id, counter, event_id, refreshed_payload, revoked_payload, headers, position)
),
account AS MATERIALIZED (
  SELECT u.id, u.status, u.role
    FROM auth.users u
   WHERE u.id = ANY (ARRAY(SELECT s.user_id FROM auth.sessions s WHERE s.id = ANY ($1::uuid[])))
   ORDER BY u.id
     FOR NO KEY UPDATE
),
session AS MATERIALIZED (
  SELECT s.id, s.user_id, s.refresh_counter, s.client_id, s.amr, s.idle_expires_at, s.expires_at,
         s.revoked_at IS NOT NULL AS revoked,
         s.idle_expires_at <= now() OR s.expires_at <= now() AS over,
         s.rotated_at + $7::bigint * interval '1 second' > now() AS in_grace
    FROM auth.sessions s
   WHERE (SELECT count(*) FROM account) >= 0
     AND s.id = ANY ($1::uuid[])
   ORDER BY s.id
     FOR NO KEY UPDATE
),
decision AS MATERIALIZED (
  SELECT i.*, s.user_id, a.role, s.refresh_counter, s.client_id, s.amr, s.idle_expires_at,
         s.expires_at,
         CASE WHEN a.id IS NULL OR s.revoked OR a.status = 'deleted' THEN 'ended'
              WHEN a.status <> 'active' THEN 'suspended'
              WHEN s.over THEN 'expired'
              WHEN i.counter = s.refresh_counter THEN 'rotated'
              WHEN i.counter = s.refresh_counter - 1 AND s.in_grace THEN 'repeated'
              ELSE 'reused' END AS verdict
    FROM input i
    LEFT JOIN session s ON s.id = i.session_id
    LEFT JOIN account a ON a.id = s.user_id
),
rotated AS (
  UPDATE auth.sessions s
     SET refresh_counter = d.refresh_counter + 1,
         rotated_at = now(),
         idle_expires_at = least(now() + $8::bigint * interval '1 second', s.expires_at)
    FROM decision d
   WHERE s.id = d.session_id AND d.verdict = 'rotated'
  RETURNING s.id, s.refresh_counter, s.idle_expires_at
),
revoked AS (
  UPDATE auth.sessions s
     SET revoked_at = now(), revoked_reason = 'refresh_token_reused'
    FROM decision d
   WHERE s.id = d.session_id AND d.verdict = 'reused'
),
account_changed AS (
  UPDATE auth.users u
     SET event_seq = u.event_seq + n.events
    FROM (SELECT user_id, count(*) AS events
            FROM decision
           WHERE verdict IN ('rotated', 'reused')
           GROUP BY user_id) AS n
   WHERE u.id = n.user_id
  RETURNING u.id, u.event_seq - n.events AS seq_before
),
logged AS (
  INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload, headers)
  SELECT event_id, topic, user_id::text, type, seq,
         replace(replace(replace(payload, '{user_id}', user_id::text), '{now}',
                         to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
                 '{reason}', 'refresh_token_reused')::json,
         headers::json
    FROM (SELECT d.event_id, d.user_id, d.headers,
                 u.seq_before + row_number() OVER (PARTITION BY d.user_id ORDER BY d.position)
                   AS seq,
                 CASE d.verdict WHEN 'rotated' THEN $9::text ELSE $11::text END AS topic,
                 CASE d.verdict WHEN 'rotated' THEN $10::text ELSE $12::text END AS type,
                 CASE d.verdict WHEN 'rotated' THEN d.refreshed_payload
                                ELSE d.revoked_payload END AS payload
            FROM decision d JOIN account_changed u ON u.id = d.user_id
           WHERE d.verdict IN ('rotated', 'reused')) AS event
   ORDER BY user_id, seq
)
SELECT d.position, d.verdict, d.user_id, d.role, d.client_id, d.amr, now() AS decided_at,
       coalesce(r.refresh_counter, d.refresh_counter) AS refresh_counter,
       coalesce(r.idle_expires_at, d.idle_expires_at) AS idle_expires_at, d.expires_at
  FROM decision d LEFT JOIN rotated r ON r.id = d.session_id;
