-- For each session of a batch: its state and its account's as in read_session, and the account that
-- is asked for (none: the session's own). Whether the caller may see it is decided afterwards, by
-- the role as it is now and not as it was when the token was made.
SELECT i.position, s.user_id, u.status, u.role,
       s.revoked_at IS NOT NULL OR s.idle_expires_at <= now() OR s.expires_at <= now() AS ended,
       now() AS read_at,
       p.id AS profile_id, p.phone, p.first_name, p.last_name, p.email, p.country, p.salutation,
       p.locale, p.level, p.version, p.created_at, p.role AS profile_role,
       p.status AS profile_status
  FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS i(session_id, wanted_id, position)
  JOIN auth.sessions s ON s.id = i.session_id
  JOIN auth.users u ON u.id = s.user_id
  LEFT JOIN auth.users p ON p.id = coalesce(i.wanted_id, s.user_id) AND p.status <> 'deleted';
