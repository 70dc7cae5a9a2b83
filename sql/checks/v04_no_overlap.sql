-- Versions that still run where the next one of their key begins.
select *
from (
    select {{key_columns}}, operation_type, lsn_from, lsn_to, change_seq,
           lead(lsn_from) over versions as next_from
    from {{history}} as history
    window versions as (partition by {{key_columns}} order by lsn_from, change_seq)
) as version
where next_from is not null
  and (lsn_to is null or lsn_to > next_from)
