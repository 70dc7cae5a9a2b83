-- Streamed versions that the checkpoint does not cover; imported ones (change_seq of 2^32 and more)
-- up to its position.
select history.*
from {{history}} as history
cross join (
    select last_commit_end, position from pgchronicle.checkpoint where pipeline = {{pipeline}}
) as checkpoint
where history.operation_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REKEY')
  and (checkpoint.last_commit_end is null or history.lsn_from >
       case when history.change_seq < 4294967296 then checkpoint.last_commit_end
            else checkpoint.position end)
