-- Tombstones that hold another value than the version that they ended. NULL beside a value tells
-- nothing: it may have been unknown. Nor does a tombstone of a transaction of which this history
-- lacks an earlier change, for that may have made the last values (intra_transaction: collapse).
select {{key_columns}}, operation_type, lsn_from, change_seq
from (
    select {{key_columns}}, operation_type, lsn_from, change_seq, version_at, version_before
    from (
        select {{key_columns}}, operation_type, lsn_from, change_seq, ctid as version_at,
               lag(ctid) over versions as version_before,
               lag(lsn_to) over versions as ends_before,
               dense_rank() over (partition by lsn_from, change_seq > 0 order by change_seq)
                   as changes
        from {{history}} as history
        window versions as (partition by {{key_columns}} order by lsn_from, change_seq)
    ) as version
    where operation_type in ('DELETE', 'TRUNCATE', 'REKEY')
      and lsn_from > {{complete_from}}
      and ends_before = lsn_from
      and changes = change_seq
) as tombstone
join (select ctid as version_place, {{values}} as row_values from {{history}} as history) as ended
  on ended.version_place = tombstone.version_at
join (select ctid as version_place, {{values}} as row_values from {{history}} as history) as before
  on before.version_place = tombstone.version_before
where exists (
    select
    from unnest(ended.row_values, before.row_values) as pair (here, there)
    where pair.here <> pair.there
)
