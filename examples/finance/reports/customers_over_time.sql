-- name: customers_over_time
-- path: /analytics/customers-over-time
-- description: How many customers there were, at moments spread evenly over what is recorded.
-- param: moments integer = 10 min 2 max 1000 -- how many moments
-- A version counts at a moment that lies in [valid_from, valid_to). A tombstone's interval is empty,
-- so it never counts.
WITH span AS (
    SELECT min(valid_from) AS first, greatest(max(valid_from), max(valid_to)) AS last
    FROM analytics.customers_history
),
moments AS (
    -- DISTINCT: at first all that is recorded may be of one moment.
    SELECT DISTINCT first + (last - first) * (step / (:moments - 1.0)) AS moment
    FROM span CROSS JOIN generate_series(0, :moments - 1) AS step
    WHERE first IS NOT NULL
)
SELECT moment, count(h.customer_id) AS customer_count
FROM moments
LEFT JOIN analytics.customers_history h
    ON h.valid_from <= moment AND (h.valid_to > moment OR h.valid_to IS NULL)
GROUP BY moment
ORDER BY moment;
