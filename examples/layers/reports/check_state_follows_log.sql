-- name: check_state_follows_log
-- path: /checks/state-follows-log
-- description: Orders whose current state is not what the last change of the log says.
WITH last_change AS (
    SELECT DISTINCT ON (order_id) order_id, operation, upper(btrim(status)) AS status,
           lsn_to IS NOT DISTINCT FROM lsn AS removed -- by whatever operation
    FROM raw.orders
    ORDER BY order_id, lsn DESC, seq DESC
)
SELECT order_id, l.operation AS last_operation, l.status AS last_status, o.status AS state_status
FROM (SELECT * FROM last_change WHERE NOT removed) AS l
FULL JOIN state.orders AS o USING (order_id)
WHERE l.order_id IS NULL OR o.order_id IS NULL OR l.status IS DISTINCT FROM o.status
ORDER BY order_id
