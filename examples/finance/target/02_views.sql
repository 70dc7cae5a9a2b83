-- Views over the current versions. Run as analytics_user in analytics_db, once
-- pgchronicle's first run has created the history tables. Safe to run again.

CREATE OR REPLACE VIEW analytics.open_orders_by_delivery_date_status AS
SELECT delivery_date, status, count(*) AS open_order_count
FROM analytics.orders_history
WHERE is_current AND status IN ('OPEN', 'PENDING')
GROUP BY delivery_date, status
ORDER BY delivery_date, status;

CREATE OR REPLACE VIEW analytics.top_delivery_dates_open_orders AS
SELECT delivery_date, count(*) AS open_order_count
FROM analytics.orders_history
WHERE is_current AND status IN ('OPEN', 'PENDING')
GROUP BY delivery_date
ORDER BY open_order_count DESC, delivery_date
LIMIT 3;

CREATE OR REPLACE VIEW analytics.open_pending_items_by_product AS
SELECT i.product_id, p.product_name, sum(i.quantity) AS pending_item_count
FROM analytics.order_items_history i
JOIN analytics.orders_history o ON o.order_id = i.order_id AND o.is_current
JOIN analytics.products_history p ON p.product_id = i.product_id AND p.is_current
WHERE i.is_current AND o.status IN ('PENDING', 'PROCESSING', 'REPROCESSING')
GROUP BY i.product_id, p.product_name
ORDER BY pending_item_count DESC NULLS LAST, i.product_id;

CREATE OR REPLACE VIEW analytics.top_customers_with_pending_orders AS
SELECT c.customer_id, c.customer_name, count(DISTINCT o.order_id) AS pending_order_count
FROM analytics.customers_history c
JOIN analytics.orders_history o ON o.customer_id = c.customer_id AND o.is_current
WHERE c.is_current AND o.status = 'PENDING'
GROUP BY c.customer_id, c.customer_name
ORDER BY pending_order_count DESC, c.customer_id
LIMIT 3;

-- Orders up to yesterday (and those without a date), those of today, and both: the second is small
-- and is asked for often. Days are UTC.
CREATE OR REPLACE VIEW analytics.orders_historic AS
SELECT * FROM analytics.orders_history
WHERE is_current AND (order_date >= (now() AT TIME ZONE 'UTC')::date) IS NOT TRUE;

CREATE OR REPLACE VIEW analytics.orders_today AS
SELECT * FROM analytics.orders_history
WHERE is_current AND order_date >= (now() AT TIME ZONE 'UTC')::date;

CREATE OR REPLACE VIEW analytics.orders_historic_and_today AS
SELECT * FROM analytics.orders_historic
UNION ALL
SELECT * FROM analytics.orders_today;

-- Data quality: orders beside their items, where one of the two is missing.
CREATE OR REPLACE VIEW analytics.orders_and_items_unmatched AS
SELECT o.order_id AS order_without_items, i.order_id AS items_without_order
FROM (SELECT order_id FROM analytics.orders_history WHERE is_current) AS o
FULL JOIN (SELECT DISTINCT order_id FROM analytics.order_items_history WHERE is_current) AS i
    ON i.order_id = o.order_id
WHERE o.order_id IS NULL OR i.order_id IS NULL;
