-- The parked keys of a slot that an operator wants released, some at a time.
SELECT topic, key, source_schema, source_table, first_id, event_id, wanted
  FROM relay.parked
 WHERE slot = $1::text AND wanted IS NOT NULL
 ORDER BY parked_at
 LIMIT 100
