-- Four questions to the history. Run with psql as analytics_user in analytics_db.

\echo Top customers by order count
SELECT c.customer_id, c.customer_name, count(*) AS order_count
FROM analytics.customers_history c
JOIN analytics.orders_history o ON o.customer_id = c.customer_id AND o.is_current
WHERE c.is_current
GROUP BY c.customer_id, c.customer_name
ORDER BY order_count DESC, c.customer_id
LIMIT 10;

\echo Top products by quantity ordered
SELECT p.product_id, p.product_name, sum(i.quantity) AS quantity_ordered
FROM analytics.products_history p
JOIN analytics.order_items_history i ON i.product_id = p.product_id AND i.is_current
WHERE p.is_current
GROUP BY p.product_id, p.product_name
ORDER BY quantity_ordered DESC, p.product_id
LIMIT 10;

\echo Orders by status
SELECT status, count(*) AS order_count
FROM analytics.orders_history
WHERE is_current
GROUP BY status
ORDER BY order_count DESC, status;

-- A version counts at a moment that lies in [valid_from, valid_to). A tombstone's interval is
-- empty, so it never counts.
\echo Customer count over time, at ten moments of what is recorded
WITH span AS (
    SELECT min(valid_from) AS first, greatest(max(valid_from), max(valid_to)) AS last
    FROM analytics.customers_history
)
SELECT moment, count(h.customer_id) AS customer_count
FROM span
CROSS JOIN generate_series(0, 9) AS step
CROSS JOIN LATERAL (SELECT first + (last - first) * step / 9.0 AS moment) AS at
LEFT JOIN analytics.customers_history h
    ON h.valid_from <= moment AND (h.valid_to > moment OR h.valid_to IS NULL)
WHERE first IS NOT NULL
GROUP BY moment
ORDER BY moment;
