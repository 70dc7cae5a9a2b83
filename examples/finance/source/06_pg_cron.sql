-- Live traffic by pg_cron; only for a server that preloads it (docker-compose.yml does). Run by
-- a superuser in finance_db. Safe to run again: a job of the same name is replaced.
--
-- The publication is FOR ALL TABLES, so pg_cron's own tables are published too;
-- pgchronicle.yaml excludes them.

CREATE EXTENSION IF NOT EXISTS pg_cron;
GRANT USAGE ON SCHEMA cron TO finance_db_user;

-- A job runs as the role that scheduled it.
SET ROLE finance_db_user;

SELECT cron.schedule('customers', '*/2 * * * *', 'CALL operations.upsert_customers()');
SELECT cron.schedule('products', '*/2 * * * *', 'CALL operations.upsert_products()');
SELECT cron.schedule('orders', '* * * * *', 'CALL operations.place_orders()');
SELECT cron.schedule('churn', '*/5 * * * *', 'CALL operations.churn()');
