-- name: check_values_in_range
-- path: /checks/values-in-range
-- description: Unknown status, delivery before the order, negative quantity or price.
SELECT 'orders' AS table_name, order_id AS key, 'status' AS column_name, status AS value
FROM state.orders
WHERE status IS NULL OR status NOT IN ('OPEN', 'PENDING', 'PROCESSING', 'REPROCESSING', 'COMPLETED')
UNION ALL
SELECT 'orders', order_id, 'delivery_date', delivery_date::text
FROM state.orders WHERE delivery_date < order_date
UNION ALL
SELECT 'order_items', order_item_id, 'quantity', quantity::text
FROM state.order_items WHERE quantity IS NULL OR quantity < 0
UNION ALL
SELECT 'products', product_id, 'unit_price', unit_price::text
FROM state.products WHERE unit_price IS NULL OR unit_price < 0
ORDER BY table_name, key, column_name
