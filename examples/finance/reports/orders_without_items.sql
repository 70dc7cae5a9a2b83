-- name: orders_without_items
-- path: /quality/orders-without-items
-- description: Data quality: orders without any item. No row is what should be.
SELECT o.order_id, o.status, o.order_date, o.customer_id
FROM analytics.orders_current o
WHERE NOT EXISTS (SELECT FROM analytics.order_items_current i WHERE i.order_id = o.order_id)
ORDER BY o.order_id;
