-- Keys whose events wait in that schema's log and are in no topic yet, whatever the snapshot says.
SELECT count(*)::int AS keys FROM relay.parked WHERE source_schema = $1::text
