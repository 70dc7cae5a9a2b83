-- name: check_items_have_order
-- path: /checks/items-have-order
-- description: Items whose order or product does not exist.
SELECT i.order_item_id, i.order_id, i.product_id
FROM state.order_items AS i
LEFT JOIN state.orders AS o USING (order_id)
LEFT JOIN state.products AS p USING (product_id)
WHERE o.order_id IS NULL OR p.product_id IS NULL
ORDER BY i.order_item_id
