-- name: check_orders_have_items
-- path: /checks/orders-have-items
-- description: Open orders of days before today that have no items.
SELECT order_id, order_date, status
FROM state.order_lines
WHERE is_open AND order_item_id IS NULL AND order_date < current_date
ORDER BY order_id
