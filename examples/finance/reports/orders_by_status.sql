-- name: orders_by_status
-- path: /analytics/statuses
-- description: How many orders have which status.
SELECT status, count(*) AS order_count
FROM analytics.orders_current
GROUP BY status
ORDER BY order_count DESC, status;
