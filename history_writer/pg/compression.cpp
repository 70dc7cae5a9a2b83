#include "history_writer/pg/compression.hpp"

namespace pgchronicle::history_writer::pg {

void prefer_lz4(pq::Connection& target) {
    // Version 14 knows `on` only for the WAL, which is pglz: not worth it.
    target.exec(
        "DO $$ DECLARE s text; BEGIN FOREACH s IN ARRAY"
        " ARRAY['default_toast_compression', 'wal_compression'] LOOP"
        " BEGIN PERFORM pg_catalog.set_config(s, 'lz4', false) FROM pg_catalog.pg_settings"
        " WHERE name = s AND source = 'default' AND 'lz4' = ANY (enumvals);"
        " EXCEPTION WHEN insufficient_privilege THEN NULL; END;"
        " END LOOP; END $$"
    );
}

}  // namespace pgchronicle::history_writer::pg
