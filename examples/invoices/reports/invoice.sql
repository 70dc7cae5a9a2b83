-- name: invoice
-- path: /invoices
-- description: One invoice by its id, with the names of both sides and its assessment.
-- param: id integer -- the invoice
SELECT i.invoice_id, i.issue_date, i.issuer_id, s.customer_name AS issuer_name,
       i.receiver_id, r.customer_name AS receiver_name, i.amount_usd, a.verdict
FROM analytics.invoices_current i
LEFT JOIN analytics.customers_current s ON s.customer_id = i.issuer_id
LEFT JOIN analytics.customers_current r ON r.customer_id = i.receiver_id
LEFT JOIN risk.last_assessment a ON a.invoice_id = i.invoice_id
WHERE i.invoice_id = :id
