#!/usr/bin/env bash
# Records what a real server sends for each scenario, as pgNN/<scenario>.hex (one message a line:
# LSN, xid, bytes) with a readable decoding in pgNN/<scenario>.txt beside it.
#
# usage: tests/golden/record.sh [BINDIR]      BINDIR defaults to /usr/lib/postgresql/15/bin
#
# A scenario that says `-- since: NN` is left out before that version. Where BINDIR has no psql
# (scripts/get-postgres), any psql will do.
# Starts a throw-away server and stops it again. As root it runs the server as user postgres.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
bindir=$(cd "${1:-/usr/lib/postgresql/15/bin}" && pwd)
major=$("$bindir/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
out=$here/pg$major
work=$(mktemp -d)
data=$work/data
run=()
if [ "$(id -u)" = 0 ]; then
    chown postgres "$work"
    run=(runuser -u postgres --)
fi

stop() {
    "${run[@]}" "$bindir/pg_ctl" -D "$data" -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap stop EXIT

# Segments of a stream begin when the memory for decoding is full: the smallest there is.
cd "$work"
"${run[@]}" "$bindir/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C -N >/dev/null
"${run[@]}" "$bindir/pg_ctl" -D "$data" -w -l "$work/log" start -o "\
    -c listen_addresses='' -c unix_socket_directories='$work' -c fsync=off \
    -c wal_level=logical -c max_prepared_transactions=5 -c logical_decoding_work_mem=64kB \
    -c timezone=UTC -c autovacuum=off" >/dev/null

export PGHOST=$work PGUSER=postgres PGOPTIONS='-c client_min_messages=warning'
client=$bindir/psql
[ -x "$client" ] || client=psql
psql=("$client" -X -q -A -t -v ON_ERROR_STOP=1)
mkdir -p "$out"
for scenario in "$here"/scenarios/*.sql; do
    name=$(basename "$scenario" .sql)
    since=$(sed -n 's/^-- since: //p' "$scenario")
    [ "$major" -ge "${since:-0}" ] || continue
    options=$(sed -n '1s/^-- options: //p' "$scenario")
    "${psql[@]}" -d postgres -c "CREATE DATABASE golden TEMPLATE template0"
    "${psql[@]}" -d golden -f "$scenario" >/dev/null
    "${psql[@]}" -d golden -F ' ' >"$out/$name.hex" -c "
        SELECT lsn, xid, encode(data, 'hex')
        FROM pg_logical_slot_peek_binary_changes('golden', NULL, NULL, $options)"
    "${psql[@]}" -d golden -c "SELECT pg_drop_replication_slot('golden')" >/dev/null
    "${psql[@]}" -d postgres -c "DROP DATABASE golden"
    "$here/describe.py" <"$out/$name.hex" >"$out/$name.txt"
    echo "pg$major/$name: $(wc -l <"$out/$name.hex") messages"
done
