-- Oldest first: how long each key has waited.
SELECT topic, key, event_id, reason, first_id, coalesce(wanted, '') AS wanted, parked_at,
       extract(epoch FROM clock_timestamp() - parked_at)::bigint AS seconds
  FROM relay.parked
 WHERE slot = $1::text
 ORDER BY parked_at
