-- name: top_products_by_quantity
-- path: /analytics/products
-- description: The products of which the most is ordered.
-- param: limit integer = 10 min 1 -- how many products
SELECT p.product_id, p.product_name, sum(i.quantity) AS quantity_ordered
FROM analytics.products_current p
JOIN analytics.order_items_current i USING (product_id)
GROUP BY p.product_id, p.product_name
ORDER BY quantity_ordered DESC NULLS LAST, p.product_id
LIMIT :limit;
