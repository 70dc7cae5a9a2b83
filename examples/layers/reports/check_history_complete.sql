-- name: check_history_complete
-- path: /checks/history-complete
-- description: Ranges in which history is known to be incomplete, and what is older than an hour.
SELECT 'gap' AS problem, coalesce(source_table, 'every table') AS what, reason AS detail
FROM pgchronicle.gap
WHERE repaired_at IS NULL AND accepted_at IS NULL
UNION ALL
SELECT 'late', pipeline, 'last stored at ' || updated_at
FROM pgchronicle.checkpoint
WHERE updated_at < now() - interval '1 hour'
ORDER BY 1, 2, 3
