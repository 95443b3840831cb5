-- All parked keys of a slot, and what an operator asks for.
SELECT topic, key, source_schema, source_table, first_id, event_id, coalesce(wanted, '') AS wanted
  FROM relay.parked
 WHERE slot = $1::text
