-- migrate:up
-- Where a relay parks what Kafka refuses for good. A relay of another team's outbox needs the same
-- two tables in its database.

CREATE SCHEMA IF NOT EXISTS relay;
REVOKE ALL ON SCHEMA relay FROM PUBLIC;
GRANT USAGE ON SCHEMA relay TO countersign_relay;

-- A key of a topic whose events from `first_id` on wait in the outbox table, the first one because
-- Kafka refuses it, the others so that they do not pass it.
CREATE TABLE relay.parked (
  slot text NOT NULL,
  topic text NOT NULL,
  key text NOT NULL,
  source_schema text NOT NULL,
  source_table text NOT NULL,
  first_id bigint NOT NULL,
  event_id text NOT NULL,
  reason text NOT NULL,
  parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- What an operator asks of the relay, which does it and deletes the row. skip: without the first.
  wanted text CHECK (wanted IN ('unpark', 'skip')),
  PRIMARY KEY (slot, topic, key)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON relay.parked TO countersign_relay;

-- Who did what to a parked key, and why. Rows are never changed.
CREATE TABLE relay.parking_log (
  id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  by text NOT NULL DEFAULT session_user,
  action text NOT NULL CHECK (action IN ('parked', 'unpark asked', 'skip asked', 'unparked', 'skipped')),
  slot text NOT NULL,
  topic text NOT NULL,
  key text NOT NULL,
  event_id text NOT NULL,
  detail text NOT NULL DEFAULT ''
);
GRANT INSERT ON relay.parking_log TO countersign_relay;

-- migrate:down
DROP TABLE relay.parking_log;
DROP TABLE relay.parked;
