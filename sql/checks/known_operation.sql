-- Versions with an operation that the model does not have.
select *
from {{history}} as history
where (operation_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REKEY', 'SNAPSHOT',
                          'RECONCILE', 'REWRITE')) is not true
