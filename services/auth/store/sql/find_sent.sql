-- After a connection was lost in the middle of send_code: was this send committed? Only then is its
-- event in the number's last_grant (the cooldown keeps the next one away for long enough).
SELECT greatest(n.next_send_at,
                CASE WHEN n.hour_sends >= $4 THEN n.hour_started_at + interval '1 hour' END,
                CASE WHEN n.day_sends >= $5 THEN n.day_started_at + interval '1 day' END)
         AS opens_at,
       v.expires_at
  FROM auth.numbers n JOIN auth.verifications v ON v.id_hash = $2::bytea
 WHERE n.phone_hash = $1::bytea AND n.last_grant = $3::uuid;
