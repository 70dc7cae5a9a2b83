-- Schema "operations": four tables, no foreign keys. Run by a superuser in finance_db.

SET ROLE finance_db_user;

CREATE SCHEMA operations;

CREATE TABLE operations.customers (
    customer_id bigserial PRIMARY KEY,
    customer_name varchar(500) NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    customer_address varchar(500),
    updated_at timestamp(3) DEFAULT current_timestamp,
    updated_by bigint,
    created_at timestamp(3) DEFAULT current_timestamp,
    created_by bigint
);

CREATE TABLE operations.products (
    product_id bigserial PRIMARY KEY,
    product_name varchar(500) NOT NULL,
    barcode varchar(26) NOT NULL,
    unity_price decimal NOT NULL,
    is_active boolean,
    updated_at timestamp(3) DEFAULT current_timestamp,
    updated_by bigint,
    created_at timestamp(3) DEFAULT current_timestamp,
    created_by bigint
);

CREATE TABLE operations.orders (
    order_id bigserial PRIMARY KEY,
    order_date date,
    delivery_date date,
    customer_id bigint,
    status varchar,
    updated_at timestamp(3) DEFAULT current_timestamp,
    updated_by bigint,
    created_at timestamp(3) DEFAULT current_timestamp,
    created_by bigint
);

-- "quanity" is spelt so in the system this follows; pgchronicle.yaml renames it in the history.
CREATE TABLE operations.order_items (
    order_item_id bigserial PRIMARY KEY,
    order_id bigint,
    product_id bigint,
    quanity integer,
    updated_at timestamp(3) DEFAULT current_timestamp,
    updated_by bigint,
    created_at timestamp(3) DEFAULT current_timestamp,
    created_by bigint
);

-- FULL sends the whole old row with every update and delete.
ALTER TABLE operations.customers REPLICA IDENTITY FULL;
ALTER TABLE operations.products REPLICA IDENTITY FULL;
ALTER TABLE operations.orders REPLICA IDENTITY FULL;
ALTER TABLE operations.order_items REPLICA IDENTITY FULL;

-- The initial copy reads the tables as cdc_user.
GRANT USAGE ON SCHEMA operations TO cdc_user;
GRANT SELECT ON ALL TABLES IN SCHEMA operations TO cdc_user;
ALTER DEFAULT PRIVILEGES IN SCHEMA operations GRANT SELECT ON TABLES TO cdc_user;
