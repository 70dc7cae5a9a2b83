-- name: open_orders
-- path: /open-orders
-- description: Open orders by delivery date and status.
SELECT delivery_date, status, count(*) AS open_order_count
FROM state.orders
WHERE is_open
GROUP BY delivery_date, status
ORDER BY delivery_date, status
