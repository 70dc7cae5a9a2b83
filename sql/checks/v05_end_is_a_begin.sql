-- Versions that end at an LSN or a time at which nothing begins: what ended them is not there.
select ended.*
from {{history}} as ended
where ended.lsn_to is not null
  and not exists (
      select
      from {{history}} as begun
      where begun.lsn_from = ended.lsn_to
        and begun.valid_from = ended.valid_to
  )
