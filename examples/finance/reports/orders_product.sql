-- name: orders_product
-- path: /orders/product
-- description: How many items of each product stand in orders that are not done: PENDING,
-- description: PROCESSING or REPROCESSING; the most first.
SELECT i.product_id, p.product_name, sum(i.quantity) AS pending_item_count
FROM analytics.order_items_current i
JOIN analytics.orders_current o USING (order_id)
JOIN analytics.products_current p USING (product_id)
WHERE o.status IN ('PENDING', 'PROCESSING', 'REPROCESSING')
GROUP BY i.product_id, p.product_name
ORDER BY pending_item_count DESC NULLS LAST, i.product_id;
