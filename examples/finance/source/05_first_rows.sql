-- The first rows: every customer, every product and a few orders. Run by a superuser in
-- finance_db, after slot and publication, so that these rows already wait in the slot.

SET ROLE finance_db_user;

INSERT INTO operations.customers (customer_name, customer_address)
SELECT name, operations.random_address() FROM unnest(operations.customer_names()) AS name;

INSERT INTO operations.products (product_name, barcode, unity_price, is_active)
SELECT name, lpad(floor(random() * 1e13)::bigint::text, 13, '0'),
       round((1 + random() * 499)::numeric, 2), true
FROM unnest(operations.product_names()) AS name;

CALL operations.place_orders(20, 5);
