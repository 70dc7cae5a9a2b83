-- Tombstones right after another tombstone of their key: nothing was there to end. A tombstone
-- that is the first of its key is allowed: the row was deleted before it was ever copied. So is one
-- within a gap, in which the row may have begun.
select *
from (
    select {{key_columns}}, operation_type, lsn_from, change_seq,
           lag(operation_type) over versions as previous_operation,
           lag(lsn_from) over versions as previous_from
    from {{history}} as history
    window versions as (partition by {{key_columns}} order by lsn_from, change_seq)
) as version
where operation_type in ('DELETE', 'TRUNCATE', 'REKEY')
  and previous_operation in ('DELETE', 'TRUNCATE', 'REKEY')
  and not exists (
      select
      from pgchronicle.gap as gap
      where gap.pipeline = {{pipeline}}
        and gap.reason in ('slot_lost', 'not_published')
        and version.lsn_from > gap.from_lsn
        and version.lsn_from <= gap.to_lsn
  )
