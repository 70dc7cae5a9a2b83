-- Versions that end before they begin, or that end by the clock and not by LSN or the other way.
select *
from {{history}} as history
where valid_to < valid_from
   or lsn_to < lsn_from
   or (valid_to is null) <> (lsn_to is null)
