-- The procedures that write to the finance database. Run by a superuser in finance_db.
-- They commit as they go, so CALL them outside a transaction block. Safe to run again.

SET ROLE finance_db_user;

CREATE OR REPLACE FUNCTION operations.customer_names() RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY[
        'Alba Foods', 'Birch & Sons', 'Cobalt Trading', 'Delta Retail', 'Elm Street Market',
        'Fjord Supply', 'Granite Works', 'Harbor Goods', 'Iris Pharmacy', 'Juniper Cafe',
        'Kestrel Sports', 'Lantern Books', 'Maple Hardware', 'Nimbus Travel', 'Orchard Kitchen',
        'Pioneer Tools', 'Quartz Jewelry', 'Raven Records', 'Saffron Spices', 'Tidewater Marine'
    ];
$$;

CREATE OR REPLACE FUNCTION operations.product_names() RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY[
        'Apron', 'Backpack', 'Candle', 'Desk Lamp', 'Extension Cord', 'Flashlight', 'Garden Hose',
        'Hammer', 'Ink Cartridge', 'Jar', 'Kettle', 'Ladder', 'Mug', 'Notebook', 'Oven Glove',
        'Padlock', 'Quilt', 'Radio', 'Scissors', 'Tape Measure', 'Umbrella', 'Vase', 'Wallet',
        'Xylophone', 'Yoga Mat', 'Zip Bag', 'Coffee Grinder', 'Door Mat'
    ];
$$;

CREATE OR REPLACE FUNCTION operations.random_address() RETURNS text
LANGUAGE sql VOLATILE AS $$
    SELECT format('%s %s', 1 + floor(random() * 999)::integer, (ARRAY[
        'Bridge Street', 'Castle Road', 'Dock Lane', 'Forest Avenue', 'Mill Hill', 'Station Square'
    ])[1 + floor(random() * 6)::integer]);
$$;

-- A name that exists gets a new address and is_active; another one becomes a new customer.
CREATE OR REPLACE PROCEDURE operations.upsert_customers(customers integer DEFAULT 5)
LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    FOR i IN 1 .. customers LOOP
        name := (operations.customer_names())[1 + floor(random() * 20)::integer];
        UPDATE operations.customers
        SET customer_address = operations.random_address(), is_active = random() < 0.9,
            updated_at = current_timestamp
        WHERE customer_name = name;
        IF NOT FOUND THEN
            INSERT INTO operations.customers (customer_name, customer_address)
            VALUES (name, operations.random_address());
        END IF;
        COMMIT;
    END LOOP;
END;
$$;

-- A name that exists gets a new price and is_active; another one becomes a new product.
CREATE OR REPLACE PROCEDURE operations.upsert_products(products integer DEFAULT 5)
LANGUAGE plpgsql AS $$
DECLARE
    name text;
    price numeric;
BEGIN
    FOR i IN 1 .. products LOOP
        name := (operations.product_names())[1 + floor(random() * 28)::integer];
        price := round((1 + random() * 499)::numeric, 2);
        UPDATE operations.products
        SET unity_price = price, is_active = random() < 0.9, updated_at = current_timestamp
        WHERE product_name = name;
        IF NOT FOUND THEN
            INSERT INTO operations.products (product_name, barcode, unity_price, is_active)
            VALUES (name, lpad(floor(random() * 1e13)::bigint::text, 13, '0'), price, true);
        END IF;
        COMMIT;
    END LOOP;
END;
$$;

-- For a random customer: an order of today that is not COMPLETED moves on to another status;
-- where there is none, a new order is placed. The order and each of its items are committed
-- one by one.
CREATE OR REPLACE PROCEDURE operations.place_orders(
    orders integer DEFAULT 100, items_per_order integer DEFAULT 25
)
LANGUAGE plpgsql AS $$
DECLARE
    customer bigint;
    current_order bigint;
BEGIN
    FOR i IN 1 .. orders LOOP
        SELECT customer_id INTO customer FROM operations.customers ORDER BY random() LIMIT 1;
        SELECT order_id INTO current_order FROM operations.orders
        WHERE customer_id = customer AND order_date = current_date AND status <> 'COMPLETED'
        ORDER BY order_id LIMIT 1;
        IF FOUND THEN
            UPDATE operations.orders
            SET status = (ARRAY['PROCESSING', 'COMPLETED', 'REPROCESSING'])
                    [1 + floor(random() * 3)::integer],
                updated_at = current_timestamp
            WHERE order_id = current_order;
            COMMIT;
        ELSE
            INSERT INTO operations.orders (order_date, delivery_date, customer_id, status)
            VALUES (current_date, current_date + 10, customer, 'PENDING')
            RETURNING order_id INTO current_order;
            COMMIT;
            FOR j IN 1 .. items_per_order LOOP
                INSERT INTO operations.order_items (order_id, product_id, quanity)
                SELECT current_order, product_id, floor(random() * 1000)::integer
                FROM operations.products ORDER BY random() LIMIT 1;
                COMMIT;
            END LOOP;
        END IF;
    END LOOP;
END;
$$;

-- What follows has no counterpart in the system this example follows: nothing is ever deleted
-- there. It gives the history hard deletes, changed keys, lives that begin again, and truncates.

-- Deletes orders together with their items, one transaction an order.
CREATE OR REPLACE PROCEDURE operations.delete_orders(orders integer DEFAULT 1)
LANGUAGE plpgsql AS $$
DECLARE
    doomed bigint;
BEGIN
    FOR i IN 1 .. orders LOOP
        SELECT order_id INTO doomed FROM operations.orders ORDER BY random() LIMIT 1;
        DELETE FROM operations.order_items WHERE order_id = doomed;
        DELETE FROM operations.orders WHERE order_id = doomed;
        COMMIT;
    END LOOP;
END;
$$;

-- Gives orders a new key, and their items the new reference, one transaction an order.
CREATE OR REPLACE PROCEDURE operations.renumber_orders(orders integer DEFAULT 1)
LANGUAGE plpgsql AS $$
DECLARE
    old_id bigint;
    new_id bigint;
BEGIN
    FOR i IN 1 .. orders LOOP
        SELECT order_id INTO old_id FROM operations.orders ORDER BY random() LIMIT 1;
        new_id := nextval('operations.orders_order_id_seq');
        UPDATE operations.orders
        SET order_id = new_id, updated_at = current_timestamp WHERE order_id = old_id;
        UPDATE operations.order_items
        SET order_id = new_id, updated_at = current_timestamp WHERE order_id = old_id;
        COMMIT;
    END LOOP;
END;
$$;

-- Deletes customers and, in the next transaction, inserts each again under its old key.
CREATE OR REPLACE PROCEDURE operations.return_customers(customers integer DEFAULT 1)
LANGUAGE plpgsql AS $$
DECLARE
    gone operations.customers;
BEGIN
    FOR i IN 1 .. customers LOOP
        DELETE FROM operations.customers
        WHERE customer_id = (
            SELECT customer_id FROM operations.customers ORDER BY random() LIMIT 1
        )
        RETURNING * INTO gone;
        COMMIT;
        IF gone.customer_id IS NOT NULL THEN
            INSERT INTO operations.customers (customer_id, customer_name, customer_address)
            VALUES (gone.customer_id, gone.customer_name, operations.random_address());
            COMMIT;
        END IF;
    END LOOP;
END;
$$;

-- Truncates order_items and puts back, in the same transaction, the items of orders that are
-- not COMPLETED.
CREATE OR REPLACE PROCEDURE operations.purge_items()
LANGUAGE plpgsql AS $$
DECLARE
    kept operations.order_items[];
BEGIN
    LOCK TABLE operations.order_items IN ACCESS EXCLUSIVE MODE;
    kept := ARRAY(
        SELECT i FROM operations.order_items i
        JOIN operations.orders o ON o.order_id = i.order_id
        WHERE o.status <> 'COMPLETED' ORDER BY i.order_item_id
    );
    TRUNCATE operations.order_items;
    INSERT INTO operations.order_items SELECT * FROM unnest(kept);
    COMMIT;
END;
$$;

-- One of each, `rounds` times.
CREATE OR REPLACE PROCEDURE operations.churn(rounds integer DEFAULT 1)
LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. rounds LOOP
        CALL operations.delete_orders(1);
        CALL operations.renumber_orders(1);
        CALL operations.return_customers(1);
        CALL operations.purge_items();
    END LOOP;
END;
$$;
