-- Closed versions without a successor, or a tombstone, that begins where they end.
select *
from (
    select {{key_columns}}, operation_type, lsn_from, lsn_to, change_seq,
           lead(lsn_from) over versions as next_from
    from {{history}} as history
    window versions as (partition by {{key_columns}} order by lsn_from, change_seq)
) as version
where lsn_to is not null
  and operation_type not in ('DELETE', 'TRUNCATE', 'REKEY')
  -- Of a comparison, what has an empty interval is a tombstone.
  and not (operation_type in ('RECONCILE', 'REWRITE') and lsn_to = lsn_from)
  and next_from is distinct from lsn_to
