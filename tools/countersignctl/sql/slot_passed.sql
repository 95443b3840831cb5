-- Whether the relay has confirmed that Kafka has everything before $2. No row: there is no such slot.
SELECT coalesce(confirmed_flush_lsn >= $2::pg_lsn, false) AS passed,
       coalesce(confirmed_flush_lsn::text, '') AS confirmed
  FROM pg_replication_slots
 WHERE slot_name = $1::text AND slot_type = 'logical'
