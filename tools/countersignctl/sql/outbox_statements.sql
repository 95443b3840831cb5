-- Three statements over an outbox table. The names of tables and columns are the operator's and cannot be
-- parameters: the server quotes them here, and everything that is looked for stays a parameter of what
-- comes out. $3 to $7: the columns of id, event id, key, topic and time, '' for no time. The condition is
-- the same in all three: a page begins behind the id $1.
WITH given AS (
  SELECT format('%I.%I', $1::text, $2::text) AS from_table,
         format('%I', $3::text) AS id,
         format('%I', $6::text) AS topic,
         CASE WHEN $7::text = '' THEN 'NULL::timestamptz' ELSE format('%I', $7::text) END AS occurred_at,
         format('%I > $1::bigint AND %1$I <= $2::bigint', $3::text)
         || CASE WHEN $7::text = ''
                 THEN ' AND $3::timestamptz IS NOT NULL AND $4::timestamptz IS NOT NULL'
                 ELSE format(' AND %I >= $3::timestamptz AND %1$I < $4::timestamptz', $7::text) END
         || format(' AND (cardinality($5::text[]) = 0 OR %I::text = ANY ($5::text[]))', $4::text)
         || format(' AND ($7::text IS NULL OR %I::text = $7::text)', $5::text)
         || format(' AND (cardinality($6::text[]) = 0 OR %I::text = ANY ($6::text[]))', $6::text)
         AS condition
)
SELECT 'SELECT * FROM ' || from_table || ' WHERE ' || condition || ' ORDER BY ' || id || ' LIMIT $8::bigint'
         AS page,
       'SELECT ' || topic || '::text AS topic, count(*) AS rows FROM ' || from_table || ' WHERE ' || condition
         || ' GROUP BY 1 ORDER BY 1' AS count,
       'SELECT ' || occurred_at || ' AS occurred_at FROM ' || from_table || ' ORDER BY ' || id || ' LIMIT 1'
         AS oldest
  FROM given
