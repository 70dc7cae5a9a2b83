-- The first two layers, as views over the history. Run as analytics_user in analytics_db, once
-- pgchronicle's first run has created the history tables. Safe to run again.
--
-- They are views, so that nothing has to be scheduled between a change and its report: what the
-- source committed is in all three layers as soon as it is in the history.

-- First layer: the change log, one row for each change, in the order in which they were made. What
-- a change made has ended at lsn_to; what removed a row has ended where it begins.

CREATE SCHEMA IF NOT EXISTS raw;

CREATE OR REPLACE VIEW raw.customers AS
SELECT lsn_from AS lsn, change_seq AS seq, valid_from AS changed_at, operation_type AS operation,
       customer_id, customer_name, is_active, customer_address, lsn_to
FROM analytics.customers_history;

CREATE OR REPLACE VIEW raw.products AS
SELECT lsn_from AS lsn, change_seq AS seq, valid_from AS changed_at, operation_type AS operation,
       product_id, product_name, barcode, unity_price, is_active, lsn_to
FROM analytics.products_history;

CREATE OR REPLACE VIEW raw.orders AS
SELECT lsn_from AS lsn, change_seq AS seq, valid_from AS changed_at, operation_type AS operation,
       order_id, order_date, delivery_date, customer_id, status, lsn_to
FROM analytics.orders_history;

CREATE OR REPLACE VIEW raw.order_items AS
SELECT lsn_from AS lsn, change_seq AS seq, valid_from AS changed_at, operation_type AS operation,
       order_item_id, order_id, product_id, quantity, lsn_to
FROM analytics.order_items_history;

-- Every change of every table as one log.
CREATE OR REPLACE VIEW raw.change_log AS
SELECT lsn, seq, changed_at, operation, 'customers' AS table_name, customer_id AS key,
       to_jsonb(c) - '{lsn,seq,changed_at,operation,lsn_to}'::text[] AS row
FROM raw.customers AS c
UNION ALL
SELECT lsn, seq, changed_at, operation, 'products', product_id,
       to_jsonb(p) - '{lsn,seq,changed_at,operation,lsn_to}'::text[]
FROM raw.products AS p
UNION ALL
SELECT lsn, seq, changed_at, operation, 'orders', order_id,
       to_jsonb(o) - '{lsn,seq,changed_at,operation,lsn_to}'::text[]
FROM raw.orders AS o
UNION ALL
SELECT lsn, seq, changed_at, operation, 'order_items', order_item_id,
       to_jsonb(i) - '{lsn,seq,changed_at,operation,lsn_to}'::text[]
FROM raw.order_items AS i;

-- Second layer: what holds now, cleaned for those who ask questions.

CREATE SCHEMA IF NOT EXISTS state;

CREATE OR REPLACE VIEW state.customers AS
SELECT customer_id, btrim(customer_name) AS customer_name, is_active, customer_address
FROM analytics.customers_current;

CREATE OR REPLACE VIEW state.products AS
SELECT product_id, btrim(product_name) AS product_name, barcode, unity_price AS unit_price,
       is_active
FROM analytics.products_current;

CREATE OR REPLACE VIEW state.orders AS
SELECT order_id, order_date, delivery_date, customer_id, upper(btrim(status)) AS status,
       upper(btrim(status)) <> 'COMPLETED' AS is_open
FROM analytics.orders_current;

CREATE OR REPLACE VIEW state.order_items AS
SELECT order_item_id, order_id, product_id, quantity
FROM analytics.order_items_current;

-- One row for each item of an order, and one for an order without items: the outer join keeps
-- those in sight. A report over items alone shows no order that has none.
CREATE OR REPLACE VIEW state.order_lines AS
SELECT o.order_id, o.order_date, o.delivery_date, o.status, o.is_open, o.customer_id,
       c.customer_name, i.order_item_id, i.product_id, p.product_name, i.quantity,
       i.quantity * p.unit_price AS amount
FROM state.orders AS o
LEFT JOIN state.customers AS c ON c.customer_id = o.customer_id
LEFT JOIN state.order_items AS i ON i.order_id = o.order_id
LEFT JOIN state.products AS p ON p.product_id = i.product_id;
