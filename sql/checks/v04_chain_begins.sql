-- Rows that begin with an UPDATE, though their beginning is known and no row of the same
-- transaction changed its key: what came before is lost. Not so under intra_transaction: collapse.
select *
from (
    select {{key_columns}}, operation_type, lsn_from, lsn_to, change_seq,
           lag(operation_type in ('DELETE', 'TRUNCATE', 'REKEY')
               or (operation_type in ('RECONCILE', 'REWRITE') and lsn_to = lsn_from))
               over versions as after_end
    from {{history}} as history
    window versions as (partition by {{key_columns}} order by lsn_from, change_seq)
) as version
where operation_type = 'UPDATE'
  and lsn_from > {{complete_from}}
  and after_end is not false
  and not exists (
      select
      from {{history}} as other
      where other.operation_type = 'REKEY'
        and other.lsn_from = version.lsn_from
  )
