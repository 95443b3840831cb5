-- migrate:up

-- People. `version` counts profile edits (optimistic locking), `event_seq` counts events; one
-- counter for both would make every sign-in abort a profile edit.
CREATE TABLE auth.users (
  id uuid PRIMARY KEY,
  phone text NOT NULL UNIQUE,
  status text NOT NULL CHECK (status IN ('pending', 'active', 'suspended', 'deleted')),
  role text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'artist', 'admin')),
  account_type text NOT NULL DEFAULT 'user',
  first_name text NOT NULL DEFAULT '',
  last_name text NOT NULL DEFAULT '',
  email text NOT NULL DEFAULT '',
  country text NOT NULL DEFAULT '',
  salutation text NOT NULL DEFAULT '',
  locale text NOT NULL DEFAULT '',
  level integer NOT NULL DEFAULT 0,
  version bigint NOT NULL DEFAULT 1,
  event_seq bigint NOT NULL DEFAULT 1,
  -- The person's own data key, wrapped under the key-encryption key `person_key_kek`. Personal
  -- fields of events are sealed with it; erasing the person destroys it.
  person_key bytea,
  person_key_kek text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  verified_at timestamptz
) WITH (fillfactor = 80);

-- One row per number ever asked for, with or without an account. This row *is* the send limit: it
-- is changed by one upsert per request, whatever the answer. `last_grant` names the SendOtp event
-- that was let through last, which is how a caller knows whether it was his.
CREATE TABLE auth.numbers (
  phone_hash bytea PRIMARY KEY,
  subject_id uuid NOT NULL,
  event_seq bigint NOT NULL DEFAULT 0,
  last_grant uuid,
  cooldown_step smallint NOT NULL DEFAULT 0,
  next_send_at timestamptz NOT NULL DEFAULT '-infinity',
  hour_started_at timestamptz NOT NULL DEFAULT now(),
  hour_sends integer NOT NULL DEFAULT 0,
  day_started_at timestamptz NOT NULL DEFAULT now(),
  day_sends integer NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

-- A verification in progress. The id itself is a capability, so only its SHA-256 is kept.
CREATE TABLE auth.verifications (
  id_hash bytea PRIMARY KEY,
  challenge_id uuid NOT NULL,
  purpose text NOT NULL CHECK (purpose IN ('signup', 'login')),
  phone text NOT NULL,
  phone_hash bytea NOT NULL,
  channel text NOT NULL,
  locale text NOT NULL DEFAULT '',
  send_number integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  used_at timestamptz
) WITH (fillfactor = 80);

-- One row per session. A refresh token is the session id, this counter and a MAC under a key that is
-- not in the database, so no token can be read or made from these rows.
CREATE TABLE auth.sessions (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES auth.users (id),
  refresh_counter bigint NOT NULL DEFAULT 1,
  rotated_at timestamptz NOT NULL DEFAULT now(),
  client_id text NOT NULL DEFAULT '',
  amr text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(),
  idle_expires_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  revoked_reason text NOT NULL DEFAULT ''
) WITH (fillfactor = 70);
CREATE INDEX sessions_of_user ON auth.sessions (user_id);

GRANT SELECT, INSERT, UPDATE ON auth.users, auth.numbers, auth.verifications, auth.sessions
  TO countersign_auth;

-- migrate:down
DROP TABLE auth.sessions, auth.verifications, auth.numbers, auth.users;
