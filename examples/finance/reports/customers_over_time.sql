-- name: customers_over_time
-- path: /analytics/customers-over-time
-- description: How many customers there were, at moments spread evenly over what is known.
-- param: moments integer = 10 min 2 max 1000 -- how many moments
-- A version counts at a moment that lies in [valid_from, valid_to). A tombstone's interval is empty,
-- so it never counts.
WITH span AS (
    -- Before seam_time the history does not know every customer yet.
    SELECT min(t.seam_time) AS first,
           greatest(min(t.seam_time), max(h.valid_from), max(h.valid_to)) AS last
    FROM pgchronicle.table_state t CROSS JOIN analytics.customers_history h
    WHERE t.target_schema = 'analytics' AND t.target_table = 'customers_history'
),
moments AS (
    -- DISTINCT: at first all that is known may be of one moment.
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
