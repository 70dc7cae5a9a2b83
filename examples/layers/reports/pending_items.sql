-- name: pending_items
-- path: /pending-items
-- description: Pieces of each product in open orders, and what they are worth.
-- param: limit integer = 100 min 1 -- how many products
SELECT product_id, product_name, sum(quantity) AS pending_item_count, sum(amount) AS amount
FROM state.order_lines
WHERE is_open AND order_item_id IS NOT NULL
GROUP BY product_id, product_name
ORDER BY pending_item_count DESC NULLS LAST, product_id
LIMIT :limit
