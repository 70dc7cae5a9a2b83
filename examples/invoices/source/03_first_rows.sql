-- Five businesses, and 600 invoices that they sent each other in the last twelve months.

INSERT INTO billing.customers (customer_name)
VALUES ('Alder Mills'), ('Birch & Sons'), ('Cedar Foods'), ('Dogwood Press'), ('Elm Transport');

INSERT INTO billing.invoices (issue_date, issuer_id, receiver_id, amount_usd)
SELECT now() - make_interval(days => g % 365, mins => g), 1 + g % 5, 1 + (g + 1 + g / 5 % 4) % 5,
       (100 + (g * 7919) % 900)::numeric(14, 2)
FROM generate_series(1, 600) AS g;
