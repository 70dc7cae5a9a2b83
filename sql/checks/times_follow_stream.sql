-- Commits recorded with an earlier time than the commit before them, or with two times.
-- Copied versions are left out: they carry the time their row or their snapshot had. So are those of
-- imports, which a change_seq of 2^32 and more tells: each has its own time, and several one LSN.
select *
from (
    select lsn_from, first_time, last_time,
           lag(last_time) over (order by lsn_from) as previous_time
    from (
        select lsn_from, min(valid_from) as first_time, max(valid_from) as last_time
        from {{history}} as history
        where operation_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REKEY')
          and change_seq < 4294967296
        group by lsn_from
    ) as committed
) as commit_time
where first_time <> last_time
   or first_time < previous_time
