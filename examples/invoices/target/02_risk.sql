-- The risk model as SQL: "run" calls risk.assess for each new version of an invoice, in the
-- transaction that writes it (tables.overrides.billing.invoices.on_change). So each invoice is
-- assessed exactly once: where that transaction is lost, its assessments are, too. One that was
-- deleted and entered again under its id is a new one, with an assessment of its own.
-- Run as analytics_user in analytics_db, before the first run.

CREATE SCHEMA IF NOT EXISTS risk;

CREATE TABLE IF NOT EXISTS risk.assessment (
    invoice_id   bigint,
    lsn          pg_lsn,               -- where the source created the invoice,
    seq          bigint,               -- and which change of that transaction it was
    amount_usd   numeric NOT NULL,
    usual_usd    numeric,              -- what its issuer asks for on average; NULL: its first
    verdict      text NOT NULL,
    assessed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (invoice_id, lsn, seq)
);

-- Of each invoice the last one.
CREATE OR REPLACE VIEW risk.last_assessment AS
SELECT DISTINCT ON (invoice_id) * FROM risk.assessment
ORDER BY invoice_id, lsn DESC, seq DESC;

CREATE OR REPLACE FUNCTION risk.assess(change jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    invoice constant jsonb := change->'values';
    amount  constant numeric := (invoice->>'amount_usd')::numeric;
    usual   numeric;
BEGIN
    IF change->>'op' <> 'INSERT' THEN
        RETURN;
    END IF;
    -- Invoices before this one; 04_index.sql keeps it quick. The rest of its own transaction is there, too, and left out.
    SELECT round(avg(h.amount_usd), 2) INTO usual
      FROM analytics.invoices_history h
     WHERE h.issuer_id = (invoice->>'issuer_id')::bigint AND h.is_current
       AND h.lsn_from < (change->>'lsn')::pg_lsn;
    INSERT INTO risk.assessment (invoice_id, lsn, seq, amount_usd, usual_usd, verdict)
    VALUES ((invoice->>'invoice_id')::bigint, (change->>'lsn')::pg_lsn,
            (change->>'seq')::bigint, amount, usual,
            CASE WHEN usual IS NULL THEN 'first' WHEN amount > 10 * usual THEN 'high'
                 WHEN amount > 3 * usual THEN 'elevated' ELSE 'usual' END);
END $$;
