-- The same change of the same key, recorded twice.
select {{key_columns}}, lsn_from, change_seq, count(*) as times
from {{history}} as history
group by {{key_columns}}, lsn_from, change_seq
having count(*) > 1
