-- What the risk model asks for with each new invoice: those of one issuer. It asks within the
-- transaction that writes, so that replication waits for the answer. Run as analytics_user in
-- analytics_db, once the first run has created the history. Safe to run again.

CREATE INDEX CONCURRENTLY IF NOT EXISTS invoices_history_issuer
ON analytics.invoices_history (issuer_id) WHERE is_current;
