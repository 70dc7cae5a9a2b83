-- name: position
-- path: /position
-- description: Where the history stands, and whether a day's end lies in it with changes after it.
-- param: day date -- the day, which ends as UTC does
SELECT c.position,
       coalesce(min(t.seam_time) < d.ends AND c.last_commit_time >= d.ends, false) AS is_past
FROM pgchronicle.checkpoint AS c
JOIN pgchronicle.table_state AS t USING (pipeline)
CROSS JOIN (SELECT (:day::date + 1)::timestamp AT TIME ZONE 'UTC' AS ends) AS d
WHERE c.pipeline = 'northwind' AND NOT t.imported
GROUP BY c.position, c.last_commit_time, d.ends
