-- name: orders_customers
-- path: /orders/customers
-- description: The customers with the most orders of a status.
-- param: status text = pending one of open, pending, completed, cancelled, all -- open: OPEN or PENDING
-- param: limit integer = 3 min 1 -- how many customers
SELECT c.customer_id, c.customer_name, count(*) AS pending_order_count
FROM analytics.customers_current c
JOIN analytics.orders_current o USING (customer_id)
WHERE CASE :status
          WHEN 'open' THEN o.status IN ('OPEN', 'PENDING')
          WHEN 'all' THEN true
          ELSE o.status = upper(:status)
      END
GROUP BY c.customer_id, c.customer_name
ORDER BY pending_order_count DESC, c.customer_id
LIMIT :limit;
