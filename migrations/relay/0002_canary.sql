-- migrate:up
-- The outbox table of the relay's canary: rows that are relayed like all others and that nobody but the
-- relay misses. It writes one every canary.interval and deletes those that have come back from Kafka,
-- so there is hardly ever more than one.

CREATE TABLE relay.canary (
  id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  event_id uuid NOT NULL DEFAULT gen_random_uuid(),
  topic text NOT NULL CHECK (topic <> ''),
  -- The relay's slot: relays of one database keep out of each other's way.
  key text NOT NULL,
  type text NOT NULL DEFAULT 'relay.canary',
  seq bigint NOT NULL DEFAULT 1,
  payload json NOT NULL DEFAULT '{}',
  headers json NOT NULL DEFAULT '{}',
  occurred_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- For source: table.
CREATE INDEX canary_xid ON relay.canary (xid, id);
GRANT SELECT, INSERT, DELETE ON relay.canary TO countersign_relay;

CREATE PUBLICATION countersign_relay FOR TABLE relay.canary WITH (publish = 'insert');

-- migrate:down
DROP PUBLICATION countersign_relay;
DROP TABLE relay.canary;
