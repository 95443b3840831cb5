-- Whether there is a place for parked keys that this role may look into. A relay that parks nothing
-- needs neither.
SELECT EXISTS (
         SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = 'relay' AND c.relname = 'parked'
            AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
       ) AS readable
