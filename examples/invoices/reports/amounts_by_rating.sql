-- name: amounts_by_rating
-- path: /invoices/by-rating
-- description: What businesses of each rating owe, and how many of them the agency watches.
SELECT coalesce(g.rating, 'unrated') AS rating, count(DISTINCT i.receiver_id) AS businesses,
       count(DISTINCT i.receiver_id) FILTER (WHERE g.notes ? 'watch') AS watched,
       count(*) AS invoices, sum(i.amount_usd) AS amount_usd
FROM analytics.invoices_current i
LEFT JOIN agency.ratings g ON g.customer_id = i.receiver_id
GROUP BY 1
ORDER BY 1
