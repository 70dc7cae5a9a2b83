-- A small shop. Every table has rows; some texts are not plain.

INSERT INTO categories VALUES (1, 'Teas', 'Black, green, and herbal', '\x89504e47'),
    (2, 'Spices', E'Whole\nand ground', NULL), (3, 'Sweets', '', '\x');
INSERT INTO customer_demographics VALUES ('RETAIL', 'Shops'), ('CAFE', NULL);
INSERT INTO customers VALUES
    ('LINDE', 'Café Linde', 'Käthe Ohm', 'Lübeck', 'Germany', '0451-555 01'),
    ('MOLEN', 'De "Oude" Molen, Utrecht', 'Jan de Wit', 'Utrecht', 'Netherlands', NULL),
    ('PORTO', 'Mercearia Porto', NULL, 'Porto', 'Portugal', '22-555 0199'),
    ('QUIET', 'Never Orders Ltd.', 'Ann Still', 'Leeds', 'UK', NULL);
INSERT INTO customer_customer_demo VALUES ('LINDE', 'CAFE'), ('PORTO', 'RETAIL');
INSERT INTO employees VALUES (1, 'Brandt', 'Ida', 'Manager', '1980-02-29', '2010-05-01', NULL, NULL),
    (2, 'Sousa', 'Rui', 'Sales', '1991-11-30', '2018-09-15', 'Speaks four languages; "quick"', 1);
INSERT INTO region VALUES (1, 'North'), (2, 'South');
INSERT INTO territories VALUES ('D-23', 'Lübeck and around', 1), ('P-4', 'Porto', 2);
INSERT INTO employee_territories VALUES (1, 'D-23'), (2, 'P-4'), (2, 'D-23');
INSERT INTO shippers VALUES (1, 'Hansa Fracht', '040-555 77'), (2, 'Rápido', NULL);
INSERT INTO suppliers VALUES (1, 'Assam Direct', 'Jorhat', 'India', 'https://example.org/assam'),
    (2, 'Spice Quay', 'Kochi', 'India', NULL);
INSERT INTO products VALUES (1, 'Assam, second flush', 1, 1, '20 x 100 g', 6.4, 120, 0),
    (2, 'Green cardamom', 2, 2, '12 x 50 g', 4.75, 80, 0),
    (3, 'Rose Turkish delight', NULL, 3, '1 kg', 9.5, 0, 1);
INSERT INTO orders VALUES
    (501, 'LINDE', 1, '2026-01-05', '2026-01-19', '2026-01-07', 1, 12.5, 'Café Linde', 'Lübeck', 'Germany'),
    (502, 'MOLEN', 1, '2026-01-06', '2026-01-20', '2026-01-12', 1, 8.25, 'De "Oude" Molen', 'Utrecht', 'Netherlands'),
    (503, 'PORTO', 2, '2026-01-06', '2026-02-03', NULL, 2, 31.1, 'Mercearia Porto', 'Porto', 'Portugal'),
    (504, 'LINDE', 2, '2026-01-09', '2026-01-23', NULL, 1, 0, 'Café Linde', 'Lübeck', 'Germany');
INSERT INTO us_states VALUES (1, 'Maine', 'ME', 'east'), (2, 'Oregon', 'OR', 'west');
