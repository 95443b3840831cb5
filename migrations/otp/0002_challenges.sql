-- migrate:up

-- One row per number (pseudonym). It counts events and is the limit on guesses per number and day.
CREATE TABLE otp.subjects (
  subject_id uuid PRIMARY KEY,
  event_seq bigint NOT NULL DEFAULT 0,
  day_started_at timestamptz NOT NULL DEFAULT now(),
  day_failures integer NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

-- A code that may be redeemed once. The code itself is nowhere: only an HMAC of it under the key
-- `code_key_id`, or nothing at all when the provider makes the code.
CREATE TABLE otp.challenges (
  id uuid PRIMARY KEY,
  subject_id uuid NOT NULL REFERENCES otp.subjects (subject_id),
  purpose text NOT NULL,
  context_digest bytea NOT NULL DEFAULT '',
  recipient_hash bytea NOT NULL,
  deliver boolean NOT NULL,
  -- Which send the live code came with; a resend raises it and the old code dies.
  generation integer NOT NULL DEFAULT 0,
  code_hmac bytea,
  code_key_id text NOT NULL DEFAULT '',
  provider text NOT NULL DEFAULT '',
  provider_sid text NOT NULL DEFAULT '',
  attempts integer NOT NULL DEFAULT 0,
  max_attempts integer NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  approved_at timestamptz,
  approved_claim bytea
) WITH (fillfactor = 70);

-- Guesses already counted, so that a repeated claim is counted once and answered alike.
CREATE TABLE otp.claims (
  challenge_id uuid NOT NULL REFERENCES otp.challenges (id),
  generation integer NOT NULL,
  claim_id bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (challenge_id, generation, claim_id)
);

-- The delivery intent of one SendOtp event: written before the provider is called.
--   received -> sending -> sent | failed | unknown;  received -> expired | superseded | decoy
-- `sending` whose lease ran out becomes `unknown`, never a second call.
CREATE TABLE otp.deliveries (
  event_id uuid PRIMARY KEY,
  challenge_id uuid NOT NULL REFERENCES otp.challenges (id),
  subject_id uuid NOT NULL,
  send_number integer NOT NULL,
  state text NOT NULL CHECK (state IN ('received', 'sending', 'sent', 'failed', 'unknown',
                                       'expired', 'superseded', 'decoy')),
  attempt_number integer NOT NULL DEFAULT 0,
  provider text NOT NULL,
  channel text NOT NULL,
  recipient_hash bytea NOT NULL,
  provider_sid text NOT NULL DEFAULT '',
  provider_code integer NOT NULL DEFAULT 0,
  reason_class text NOT NULL DEFAULT '',
  lease_owner uuid,
  lease_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL
) WITH (fillfactor = 70);
-- One call at a time per provider and recipient, across all replicas.
CREATE UNIQUE INDEX deliveries_one_sending ON otp.deliveries (provider, recipient_hash)
  WHERE state = 'sending';
CREATE INDEX deliveries_open_leases ON otp.deliveries (lease_until) WHERE state = 'sending';

GRANT SELECT, INSERT, UPDATE ON otp.subjects, otp.challenges, otp.claims, otp.deliveries
  TO countersign_otp;

-- migrate:down
DROP TABLE otp.deliveries, otp.claims, otp.challenges, otp.subjects;
