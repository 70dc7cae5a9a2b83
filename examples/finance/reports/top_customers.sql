-- name: top_customers
-- description: The customers with the most PENDING orders.
-- param: limit integer = 3 min 1 -- how many customers
SELECT customer_id, count(*) AS pending_order_count
FROM analytics.orders_current
WHERE status = 'PENDING'
GROUP BY customer_id
ORDER BY pending_order_count DESC, customer_id
LIMIT :limit;
