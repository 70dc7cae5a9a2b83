-- name: orders_by_age
-- path: /orders/age
-- description: Orders of the days before today, of today, or of both, by status. Days are UTC.
-- param: part text = all one of historic, today, all -- which orders
WITH parted AS (
    SELECT status, CASE
               WHEN order_date >= (now() AT TIME ZONE 'UTC')::date THEN 'today' ELSE 'historic'
           END AS part
    FROM analytics.orders_current
)
SELECT part, status, count(*) AS order_count
FROM parted
WHERE :part IN ('all', part)
GROUP BY part, status
ORDER BY part, order_count DESC, status;
