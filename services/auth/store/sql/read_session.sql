-- Sessions and their accounts as they are now: what decides about a bearer, at every call, because
-- nothing that remembers can know of a revocation.
SELECT i.position, s.user_id, u.status, u.role,
       s.revoked_at IS NOT NULL OR s.idle_expires_at <= now() OR s.expires_at <= now() AS ended,
       now() AS read_at
  FROM unnest($1::uuid[]) WITH ORDINALITY AS i(session_id, position)
  JOIN auth.sessions s ON s.id = i.session_id
  JOIN auth.users u ON u.id = s.user_id;
