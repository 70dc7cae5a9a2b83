-- Changes that left what one change cannot: but for a TRUNCATE it is one version or, where it
-- changed a key, a REKEY tombstone and its UPDATE.
select lsn_from, change_seq, count(*) as versions, min(operation_type) as operation,
       max(operation_type) as another_operation
from {{history}} as history
where operation_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REKEY')
  and change_seq > 0
group by lsn_from, change_seq
having count(*) > 1
   and min(operation_type) || max(operation_type) <> 'TRUNCATETRUNCATE'
   and not (count(*) = 2 and min(operation_type) = 'REKEY' and max(operation_type) = 'UPDATE')
