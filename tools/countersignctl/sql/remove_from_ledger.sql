-- In the transaction that takes the migration back.
DELETE FROM schema_migrations WHERE name = $1::text
