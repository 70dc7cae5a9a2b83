-- Tombstones of a row that has no version before, though its beginning is known.
select *
from (
    select {{key_columns}}, operation_type, lsn_from, change_seq,
           row_number() over versions as place
    from {{history}} as history
    window versions as (partition by {{key_columns}} order by lsn_from, change_seq)
) as version
where operation_type in ('DELETE', 'TRUNCATE', 'REKEY')
  and place = 1
  and lsn_from > {{complete_from}}
