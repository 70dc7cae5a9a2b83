-- name: orders
-- path: /orders
-- description: How many orders there are for each delivery date and status.
-- param: status text = open one of open, pending, completed, cancelled, all -- open: OPEN or PENDING
SELECT delivery_date, status, count(*) AS open_order_count
FROM analytics.orders_current
WHERE CASE :status
          WHEN 'open' THEN status IN ('OPEN', 'PENDING')
          WHEN 'all' THEN true
          ELSE status = upper(:status)
      END
GROUP BY delivery_date, status
ORDER BY delivery_date, status;
