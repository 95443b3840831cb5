-- migrate:up
-- Order is kept within a table: events of one key that stand in two tables wait in two rows.

ALTER TABLE relay.parked
  DROP CONSTRAINT parked_pkey,
  ADD PRIMARY KEY (slot, topic, key, source_schema, source_table);
-- What the relay asks for every second.
CREATE INDEX parked_wanted ON relay.parked (slot, parked_at) WHERE wanted IS NOT NULL;

-- migrate:down
DROP INDEX relay.parked_wanted;
ALTER TABLE relay.parked DROP CONSTRAINT parked_pkey, ADD PRIMARY KEY (slot, topic, key);
