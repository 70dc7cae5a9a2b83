-- Streamed versions that the checkpoint does not cover.
select history.*
from {{history}} as history
cross join (
    select last_commit_end from pgchronicle.checkpoint where pipeline = {{pipeline}}
) as checkpoint
where history.operation_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REKEY')
  and (checkpoint.last_commit_end is null or history.lsn_from > checkpoint.last_commit_end)
