-- Tombstones right after another tombstone of their key: nothing was there to end. A tombstone
-- that is the first of its key is allowed: the row was deleted before it was ever copied.
select *
from (
    select {{key_columns}}, operation_type, lsn_from, change_seq,
           lag(operation_type) over versions as previous_operation
    from {{history}}
    window versions as (partition by {{key_columns}} order by lsn_from, change_seq)
) as version
where operation_type in ('DELETE', 'TRUNCATE', 'REKEY')
  and previous_operation in ('DELETE', 'TRUNCATE', 'REKEY')
