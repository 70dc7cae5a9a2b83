-- name: invoices_by_business
-- path: /invoices/by-business
-- description: Invoices and their sum for each business and month, for the last months.
-- param: months integer = 3 min 1 max 120 -- so many months, the present one among them
-- param: side text = issuer one of issuer, receiver -- whose invoices
SELECT to_char(date_trunc('month', i.issue_date), 'YYYY-MM') AS month,
       c.customer_id, c.customer_name, count(*) AS invoices, sum(i.amount_usd) AS amount_usd
FROM analytics.invoices_current i
JOIN analytics.customers_current c
    ON c.customer_id = CASE :side WHEN 'issuer' THEN i.issuer_id ELSE i.receiver_id END
WHERE i.issue_date >= date_trunc('month', now()) - make_interval(months => (:months - 1)::integer)
GROUP BY 1, 2, 3
ORDER BY 1, 2
