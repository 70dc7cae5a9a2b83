-- The tables of the source, the slot and the publication, before the first row. Run by a superuser
-- in invoices_db. Safe to run again.

CREATE SCHEMA IF NOT EXISTS billing AUTHORIZATION invoices_owner;
SET ROLE invoices_owner;

CREATE TABLE IF NOT EXISTS billing.customers (
    customer_id   bigserial PRIMARY KEY,
    customer_name text NOT NULL
);
CREATE TABLE IF NOT EXISTS billing.invoices (
    invoice_id  bigserial PRIMARY KEY,
    issue_date  timestamptz NOT NULL DEFAULT now(),
    issuer_id   bigint NOT NULL REFERENCES billing.customers,
    receiver_id bigint NOT NULL REFERENCES billing.customers,
    amount_usd  numeric(14, 2) NOT NULL
);

RESET ROLE;
GRANT USAGE ON SCHEMA billing TO cdc_user;
GRANT SELECT ON ALL TABLES IN SCHEMA billing TO cdc_user;

SELECT pg_create_logical_replication_slot('cdc_invoices', 'pgoutput')
WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'cdc_invoices');
SELECT 'CREATE PUBLICATION cdc_invoices FOR TABLE billing.customers, billing.invoices'
WHERE NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'cdc_invoices') \gexec
