-- name: top_customers
-- path: /top-customers
-- description: The customers with the most open orders, and how many of those have no items yet.
-- param: limit integer = 3 min 1 -- how many customers
SELECT customer_id, customer_name, count(DISTINCT order_id) AS open_order_count,
       count(DISTINCT order_id) FILTER (WHERE order_item_id IS NULL) AS without_items
FROM state.order_lines
WHERE is_open
GROUP BY customer_id, customer_name
ORDER BY open_order_count DESC, customer_id
LIMIT :limit
