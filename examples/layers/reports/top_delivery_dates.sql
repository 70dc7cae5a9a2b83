-- name: top_delivery_dates
-- path: /delivery-dates
-- description: The delivery dates with the most open orders.
-- param: limit integer = 3 min 1 -- how many dates
SELECT delivery_date, count(*) AS open_order_count
FROM state.orders
WHERE is_open
GROUP BY delivery_date
ORDER BY open_order_count DESC, delivery_date
LIMIT :limit
