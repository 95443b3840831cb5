-- Whether this database has the tables of migrations/relay.
SELECT to_regclass('relay.parked') IS NOT NULL AS exists
