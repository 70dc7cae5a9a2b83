-- Rows that an aborted (sub)transaction wrote.
select *
from {{history}}
where {{fate_column}} = 'aborted'
