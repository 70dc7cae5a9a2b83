-- Another source: what an agency says of the businesses, as a file of ratings with free-form notes.
-- Run as analytics_user in analytics_db, in the folder of this example. Safe to run again.

CREATE SCHEMA IF NOT EXISTS agency;
CREATE TABLE IF NOT EXISTS agency.ratings (
    customer_id bigint PRIMARY KEY,
    rating      text NOT NULL,
    notes       jsonb NOT NULL
);
TRUNCATE agency.ratings;
\copy agency.ratings FROM 'ratings.csv' WITH (FORMAT csv, HEADER)
