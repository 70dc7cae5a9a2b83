-- name: daily_changes
-- path: /daily-changes
-- description: Changes of each table by day (UTC) and kind, from the change log.
-- param: days integer = 7 min 1 max 3660 -- how many days back
SELECT (changed_at AT TIME ZONE 'UTC')::date AS day, table_name, operation, count(*) AS changes
FROM raw.change_log
WHERE changed_at >= now() - make_interval(days => :days::integer)
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
