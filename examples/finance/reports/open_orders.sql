-- name: open_orders
-- description: How many open orders there are for each delivery date and status.
SELECT delivery_date, status, count(*) AS open_order_count
FROM analytics.orders_current
WHERE status IN ('OPEN', 'PENDING')
GROUP BY delivery_date, status
ORDER BY delivery_date, status;
