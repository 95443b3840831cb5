-- Before the first migration there is no ledger, and a status must not make one.
SELECT to_regclass($1::text || '.schema_migrations') IS NOT NULL AS exists
