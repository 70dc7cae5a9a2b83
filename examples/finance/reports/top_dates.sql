-- name: top_dates
-- description: The delivery dates with the most open orders.
-- param: limit integer = 3 min 1 -- how many dates
SELECT delivery_date, count(*) AS open_order_count
FROM analytics.orders_current
WHERE status IN ('OPEN', 'PENDING')
GROUP BY delivery_date
ORDER BY open_order_count DESC, delivery_date
LIMIT :limit;
