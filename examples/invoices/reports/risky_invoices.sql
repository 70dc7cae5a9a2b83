-- name: risky_invoices
-- path: /invoices/risky
-- description: Invoices that are not as their issuer's usually are, the last ones first.
-- param: limit integer = 10 min 1 -- how many
SELECT a.invoice_id, c.customer_name AS issuer_name, a.amount_usd, a.usual_usd, a.verdict
FROM risk.last_assessment a
JOIN analytics.invoices_current i USING (invoice_id)
JOIN analytics.customers_current c ON c.customer_id = i.issuer_id
WHERE a.verdict IN ('elevated', 'high')
ORDER BY a.invoice_id DESC
LIMIT :limit
