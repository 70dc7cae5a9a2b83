-- name: items_without_order
-- path: /quality/items-without-order
-- description: Data quality: items whose order is not there. No row is what should be.
SELECT i.order_id, count(*) AS item_count, min(i.order_item_id) AS first_item_id
FROM analytics.order_items_current i
WHERE NOT EXISTS (SELECT FROM analytics.orders_current o WHERE o.order_id = i.order_id)
GROUP BY i.order_id
ORDER BY i.order_id;
