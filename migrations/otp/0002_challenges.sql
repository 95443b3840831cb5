-- migrate:up

-- One row per number (pseudonym). It counts events and is the limit on wrong guesses per number and
-- day.
CREATE TABLE otp.subjects (
  subject_id uuid PRIMARY KEY,
  event_seq bigint NOT NULL DEFAULT 0,
  day_started_at timestamptz NOT NULL DEFAULT now(),
  day_failures integer NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

-- A code that may be redeemed once. The code itself is nowhere: only an HMAC of it under the key
-- `code_key_id`, or nothing at all when the provider makes the code and knows it by `provider_sid`.
-- A decoy has an HMAC of nothing, so that it is counted exactly like a real one.
CREATE TABLE otp.challenges (
  id uuid PRIMARY KEY,
  subject_id uuid NOT NULL REFERENCES otp.subjects (subject_id),
  purpose text NOT NULL,
  context_digest bytea NOT NULL DEFAULT '',
  -- The newest send that was asked for, and the one the live code came with (0: none yet). A resend
  -- raises both, and the old code dies.
  newest_send integer NOT NULL,
  generation integer NOT NULL DEFAULT 0,
  code_hmac bytea,
  code_key_id text NOT NULL DEFAULT '',
  provider_sid text NOT NULL DEFAULT '',
  -- Guesses counted over all generations, and the claims counted in this one: a repeated claim is
  -- counted once. Those whose answer the provider has not given yet are open. Never more than
  -- max_attempts of them, so they are kept in the row that is the limit.
  attempts integer NOT NULL DEFAULT 0,
  max_attempts integer NOT NULL,
  counted_claims bytea[] NOT NULL DEFAULT '{}',
  open_claims bytea[] NOT NULL DEFAULT '{}',
  exceeded_logged boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  approved_at timestamptz,
  approved_claim bytea
) WITH (fillfactor = 70);

-- The delivery intent of one SendOtp event: written before the provider is called.
--   received -> sending -> sent | failed | unknown;  received -> expired | superseded | decoy
--   sending -> received, if the call provably never happened
-- `sending` whose lease ran out becomes `unknown`, never a second call.
CREATE TABLE otp.deliveries (
  event_id uuid PRIMARY KEY,
  challenge_id uuid NOT NULL REFERENCES otp.challenges (id),
  subject_id uuid NOT NULL,
  purpose text NOT NULL,
  send_number integer NOT NULL,
  state text NOT NULL CHECK (state IN ('received', 'sending', 'sent', 'failed', 'unknown',
                                       'expired', 'superseded', 'decoy')),
  provider text NOT NULL,
  channel text NOT NULL,
  -- The last provider call: how many there were, and the id that the provider's records carry and
  -- that every later change of the row must name.
  attempt_number integer NOT NULL DEFAULT 0,
  attempt_id uuid,
  lease_until timestamptz,
  provider_sid text NOT NULL DEFAULT '',
  provider_code integer NOT NULL DEFAULT 0,
  reason_class text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL
) WITH (fillfactor = 70);
-- One call at a time per provider and recipient, across all replicas.
CREATE UNIQUE INDEX deliveries_one_sending ON otp.deliveries (provider, subject_id)
  WHERE state = 'sending';
CREATE INDEX deliveries_open_leases ON otp.deliveries (lease_until) WHERE state = 'sending';
CREATE INDEX deliveries_waiting ON otp.deliveries (expires_at) WHERE state = 'received';
-- Where the provider makes the code: what a new send to the same number must end first.
CREATE INDEX deliveries_of_subject ON otp.deliveries (subject_id, purpose, updated_at)
  WHERE state IN ('sent', 'unknown');

GRANT SELECT, INSERT, UPDATE ON otp.subjects, otp.challenges, otp.deliveries TO countersign_otp;

-- migrate:down
DROP TABLE otp.deliveries, otp.challenges, otp.subjects;
