-- Ends the sessions of a batch for their holders, in one transaction. The caller never puts one
-- session into a batch twice.
-- A session that has ended already stays as it is and gets no second event, so a repeat is safe.
-- An access token whose time is over ends nothing; a refresh token has no time of its own here.
-- Lock order: users, sessions (each sorted), the log.
WITH input AS MATERIALIZED (
  SELECT *
    FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::text[]) WITH ORDINALITY
      AS t(session_id, token_expires_at, event_id, payload, headers, position)
),
account AS MATERIALIZED (
  SELECT u.id
    FROM auth.users u
   WHERE u.id = ANY (ARRAY(SELECT s.user_id FROM auth.sessions s WHERE s.id = ANY ($1::uuid[])))
   ORDER BY u.id
     FOR NO KEY UPDATE
),
session AS MATERIALIZED (
  SELECT s.id, s.user_id,
         s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now() AS alive
    FROM auth.sessions s
   WHERE (SELECT count(*) FROM account) >= 0
     AND s.id = ANY ($1::uuid[])
   ORDER BY s.id
     FOR NO KEY UPDATE
),
decision AS MATERIALIZED (
  SELECT i.*, s.user_id,
         CASE WHEN i.token_expires_at <= now() THEN 'token_expired'
              WHEN s.alive THEN 'ended'
              ELSE 'ended_before' END AS verdict
    FROM input i LEFT JOIN session s ON s.id = i.session_id
),
ended AS (
  UPDATE auth.sessions s
     SET revoked_at = now(), revoked_reason = 'logged_out'
    FROM decision d
   WHERE s.id = d.session_id AND d.verdict = 'ended'
),
account_changed AS (
  UPDATE auth.users u
     SET event_seq = u.event_seq + n.events
    FROM (SELECT user_id, count(*) AS events FROM decision WHERE verdict = 'ended'
           GROUP BY user_id) AS n
   WHERE u.id = n.user_id
  RETURNING u.id, u.event_seq - n.events AS seq_before
),
logged AS (
  INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload, headers)
  SELECT event_id, $6, user_id::text, $7, seq,
         replace(replace(payload, '{user_id}', user_id::text), '{now}',
                 to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::json,
         headers::json
    FROM (SELECT d.event_id, d.user_id, d.payload, d.headers,
                 u.seq_before + row_number() OVER (PARTITION BY d.user_id ORDER BY d.position)
                   AS seq
            FROM decision d JOIN account_changed u ON u.id = d.user_id
           WHERE d.verdict = 'ended') AS event
   ORDER BY user_id, seq
)
SELECT position, verdict FROM decision;
