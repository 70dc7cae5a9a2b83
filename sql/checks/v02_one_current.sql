-- A key with more than one current version.
select {{key_columns}}, count(*) as current_versions
from {{history}} as history
where is_current
group by {{key_columns}}
having count(*) > 1
