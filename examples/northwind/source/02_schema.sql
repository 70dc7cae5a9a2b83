-- The shop's tables; the details of its orders come as a CSV file. Run in database "northwind".

CREATE TABLE categories (category_id smallint PRIMARY KEY, category_name varchar(15) NOT NULL,
    description text, picture bytea);
CREATE TABLE customer_demographics (customer_type_id char(10) PRIMARY KEY, customer_desc text);
CREATE TABLE customers (customer_id char(5) PRIMARY KEY, company_name varchar(40) NOT NULL,
    contact_name varchar(30), city varchar(15), country varchar(15), phone varchar(24));
CREATE TABLE customer_customer_demo (customer_id char(5) REFERENCES customers,
    customer_type_id char(10) REFERENCES customer_demographics,
    PRIMARY KEY (customer_id, customer_type_id));
CREATE TABLE employees (employee_id smallint PRIMARY KEY, last_name varchar(20) NOT NULL,
    first_name varchar(10) NOT NULL, title varchar(30), birth_date date, hire_date date,
    notes text, reports_to smallint REFERENCES employees);
CREATE TABLE region (region_id smallint PRIMARY KEY, region_description char(60) NOT NULL);
CREATE TABLE territories (territory_id varchar(20) PRIMARY KEY,
    territory_description char(60) NOT NULL, region_id smallint NOT NULL REFERENCES region);
CREATE TABLE employee_territories (employee_id smallint REFERENCES employees,
    territory_id varchar(20) REFERENCES territories, PRIMARY KEY (employee_id, territory_id));
CREATE TABLE shippers (shipper_id smallint PRIMARY KEY, company_name varchar(40) NOT NULL,
    phone varchar(24));
CREATE TABLE suppliers (supplier_id smallint PRIMARY KEY, company_name varchar(40) NOT NULL,
    city varchar(15), country varchar(15), homepage text);
CREATE TABLE products (product_id smallint PRIMARY KEY, product_name varchar(40) NOT NULL,
    supplier_id smallint REFERENCES suppliers, category_id smallint REFERENCES categories,
    quantity_per_unit varchar(20), unit_price real, units_in_stock smallint,
    discontinued integer NOT NULL);
CREATE TABLE orders (order_id smallint PRIMARY KEY, customer_id char(5) REFERENCES customers,
    employee_id smallint REFERENCES employees, order_date date, required_date date,
    shipped_date date, ship_via smallint REFERENCES shippers, freight real,
    ship_name varchar(40), ship_city varchar(15), ship_country varchar(15));
CREATE TABLE us_states (state_id smallint PRIMARY KEY, state_name varchar(100),
    state_abbr varchar(2), state_region varchar(50));
