-- name: pending_items
-- description: How many items of each product stand in PENDING orders, the most first.
SELECT i.product_id, sum(i.quantity) AS pending_item_count
FROM analytics.order_items_current i
JOIN analytics.orders_current o USING (order_id)
WHERE o.status = 'PENDING'
GROUP BY i.product_id
ORDER BY pending_item_count DESC NULLS LAST, i.product_id;
