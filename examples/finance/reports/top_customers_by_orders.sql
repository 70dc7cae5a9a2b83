-- name: top_customers_by_orders
-- path: /analytics/customers
-- description: The customers with the most orders, whatever their status.
-- param: limit integer = 10 min 1 -- how many customers
SELECT c.customer_id, c.customer_name, count(*) AS order_count
FROM analytics.customers_current c
JOIN analytics.orders_current o USING (customer_id)
GROUP BY c.customer_id, c.customer_name
ORDER BY order_count DESC, c.customer_id
LIMIT :limit;
