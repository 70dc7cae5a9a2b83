-- Versions whose is_current and valid_to contradict each other.
select *
from {{history}} as history
where is_current <> (valid_to is null)
