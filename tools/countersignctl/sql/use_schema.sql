-- The ledger of each schema has the same name: which one is meant is told by the search path of
-- this transaction, so that no statement is assembled.
SELECT set_config('search_path', $1::text, true)
