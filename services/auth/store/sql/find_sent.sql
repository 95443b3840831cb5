-- After a connection was lost in the middle of send_code: was this send committed? Only then is its
-- event in the number's last_grant (the cooldown keeps the next one away for long enough).
SELECT n.next_send_at, v.expires_at
  FROM auth.numbers n JOIN auth.verifications v ON v.id_hash = $2::bytea
 WHERE n.phone_hash = $1::bytea AND n.last_grant = $3::uuid;
