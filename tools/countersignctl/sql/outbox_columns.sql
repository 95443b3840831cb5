-- The columns of a table in the order of SELECT *, as the relay's stream tells them. No row: there is no
-- such table. Nothing else is trusted with the names that an operator gives.
SELECT a.attname::text AS name
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE n.nspname = $1::text AND c.relname = $2::text AND c.relkind IN ('r', 'p')
 ORDER BY a.attnum
