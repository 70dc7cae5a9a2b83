-- Rows that an aborted (sub)transaction wrote.
select *
from {{history}} as history
where {{fate_column}} = 'aborted'
