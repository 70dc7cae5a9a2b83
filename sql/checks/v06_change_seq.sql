-- Change numbers that no change can have.
select *
from {{history}} as history
where (operation_type = 'SNAPSHOT' and change_seq <> 0)
   or (operation_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REKEY') and change_seq < 1)
