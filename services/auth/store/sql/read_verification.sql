-- What a batch of verification ids stand for, with the account that has the number now. Reads only;
-- whether the verification is still open is decided again where it is redeemed.
SELECT i.position, v.challenge_id, v.purpose, v.phone, v.phone_hash, v.channel, v.locale,
       v.used_at IS NOT NULL AS used, v.expires_at <= now() AS over,
       n.subject_id, u.id AS user_id, u.role, u.person_key, u.person_key_kek
  FROM unnest($1::bytea[]) WITH ORDINALITY AS i(id_hash, position)
  JOIN auth.verifications v ON v.id_hash = i.id_hash
  JOIN auth.numbers n ON n.phone_hash = v.phone_hash
  LEFT JOIN auth.users u ON u.phone = v.phone AND u.status <> 'deleted';
