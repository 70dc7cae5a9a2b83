-- INSERTs of a row that was there already: the version before runs up to them.
select *
from (
    select {{key_columns}}, operation_type, lsn_from, lsn_to, change_seq,
           lag(operation_type) over versions as operation_before,
           lag(lsn_from) over versions as begins_before,
           lag(lsn_to) over versions as ends_before
    from {{history}} as history
    window versions as (partition by {{key_columns}} order by lsn_from, change_seq)
) as version
where operation_type = 'INSERT'
  and ends_before = lsn_from
  and begins_before >= {{complete_from}}
  and operation_before not in ('DELETE', 'TRUNCATE', 'REKEY')
  and not (operation_before in ('RECONCILE', 'REWRITE') and begins_before = ends_before)
