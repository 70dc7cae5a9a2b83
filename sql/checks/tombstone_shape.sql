-- Tombstones that cover time or count as current.
select *
from {{history}} as history
where operation_type in ('DELETE', 'TRUNCATE', 'REKEY')
  and (is_current
       or lsn_to is distinct from lsn_from
       or valid_to is distinct from valid_from)
