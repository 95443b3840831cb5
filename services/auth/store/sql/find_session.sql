-- After a connection was lost in the middle of complete_verification: did the session with the id
-- drawn beforehand come to be?
SELECT u.role, s.created_at AS began_at, s.idle_expires_at, s.expires_at
  FROM auth.sessions s JOIN auth.users u ON u.id = s.user_id
 WHERE s.id = $1::uuid;
