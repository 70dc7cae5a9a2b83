-- name: orders_with_details
-- path: /orders/details
-- description: Each order of a day with its details.
-- param: day date -- whose file of details
-- param: lsn text -- where the orders' history stood that day
SELECT o.order_id, o.order_date, o.customer_id, c.company_name, p.product_name,
       d.product_id, d.unit_price, d.quantity, d.discount,
       round(d.unit_price * d.quantity * (1 - d.discount), 2) AS amount
FROM analytics.orders_as_of_lsn(:lsn::text::pg_lsn) AS o
JOIN analytics.order_details_as_of((
         SELECT max(recorded_at) FROM pgchronicle.import
         WHERE source_schema = 'imported' AND source_table = 'order_details' AND day = :day
     )) AS d ON d.order_id = o.order_id
LEFT JOIN analytics.customers_as_of_lsn(:lsn::text::pg_lsn) AS c ON c.customer_id = o.customer_id
LEFT JOIN analytics.products_as_of_lsn(:lsn::text::pg_lsn) AS p ON p.product_id = d.product_id
ORDER BY o.order_id, d.product_id
