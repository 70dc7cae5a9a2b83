# shellcheck shell=bash
# Throw-away PostgreSQL servers for scripts. Source this file; it defines functions only.
#
#   start_server DIR PORT [name=value]...   creates DIR/data where missing, starts the server
#   stop_server DIR                         stops it; no error where none runs
#   server_psql DIR DATABASE [ARG]...       psql as the superuser, over DIR's socket
#   free_port PREFERRED                     that TCP port, or another that nobody listens on
#   wait_for SECONDS WHAT COMMAND...        polls COMMAND until it succeeds
#   end_process PID SIGNAL                  ends a child of the script, and gives its exit code
#
# A server listens on 127.0.0.1:PORT with passwords, and on a socket in DIR without: DIR has
# mode 0700. PostgreSQL refuses to run as root, so root runs it as the system user postgres;
# then DIR's parents must be open to that user.

# Prints the folder of initdb, pg_ctl and psql: PG_BIN, else 15, else the newest that is there.
# Returns say their value: inside a trap, a bare one would return what was there before the trap.
pg_bin() {
    local candidate bin=
    for candidate in /usr/lib/postgresql/*/bin /usr/lib/postgresql/15/bin "${PG_BIN:-}"; do
        [[ -n $candidate && -x $candidate/pg_ctl ]] && bin=$candidate
    done
    if [[ -z $bin ]]; then
        echo "error: no PostgreSQL server found; run scripts/install-deps, or set PG_BIN" >&2
        return 1
    fi
    echo "$bin"
}

# Runs a command as the user that owns the servers, in a folder that this user can read.
as_server_owner() {
    if [[ $(id -u) -eq 0 ]]; then
        (cd / && runuser -u postgres -- "$@")
    else
        (cd / && "$@")
    fi
}

free_port() {
    local port=$1
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        port=$((20000 + RANDOM % 12000)) # below the ephemeral ports, which start at 32768
    done
    echo "$port"
}

start_server() {
    local dir=$1 port=$2 bin setting
    shift 2
    bin=$(pg_bin) || return 1
    # A socket's path ends at 107 bytes.
    if ((${#dir} > 85)); then
        echo "error: the path \"$dir\" is too long for a server's socket" >&2
        return 1
    fi
    if [[ ! -d $dir/data ]]; then
        mkdir -p "$dir"
        chmod 0700 "$dir"
        [[ $(id -u) -ne 0 ]] || chown postgres: "$dir"
        as_server_owner "$bin/initdb" -D "$dir/data" -U postgres --no-sync --encoding=UTF8 \
            --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 >"$dir/initdb.log" ||
            { cat "$dir/initdb.log" >&2; return 1; }
    fi
    local options="-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$dir"
    for setting in "$@"; do
        options+=" -c $setting"
    done
    as_server_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -o "$options" -w -t 60 \
        start >"$dir/pg_ctl.log" ||
        { tail -n 20 "$dir/pg_ctl.log" "$dir/server.log" >&2; return 1; }
    echo "$port" >"$dir/port"
}

server_is_running() {
    [[ -f $1/data/postmaster.pid ]] && as_server_owner "$(pg_bin)/pg_ctl" -D "$1/data" status >/dev/null
}

stop_server() {
    local dir=$1 bin
    [[ -f $dir/data/postmaster.pid ]] || return 0
    bin=$(pg_bin) || return 1
    as_server_owner "$bin/pg_ctl" -D "$dir/data" -m fast -w -t 20 stop >/dev/null 2>&1 ||
        as_server_owner "$bin/pg_ctl" -D "$dir/data" -m immediate -w -t 20 stop >/dev/null 2>&1 ||
        ! server_is_running "$dir"
}

server_psql() {
    local dir=$1 database=$2
    shift 2
    PGOPTIONS='-c client_min_messages=warning' "$(pg_bin)/psql" -X -q -v ON_ERROR_STOP=1 \
        -h "$dir" -p "$(cat "$dir/port")" -U postgres -d "$database" "$@"
}

wait_for() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        if ((SECONDS >= deadline)); then
            echo "error: waited in vain for $what" >&2
            return 1
        fi
        sleep 0.1
    done
}

end_process() {
    local pid=$1 status=0
    kill "-$2" "$pid" 2>/dev/null || true
    wait_for 15 "process $pid to end" eval "! kill -0 $pid 2>/dev/null" || kill -KILL "$pid"
    wait "$pid" 2>/dev/null || status=$?
    return "$status"
}
