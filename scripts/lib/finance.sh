# shellcheck shell=bash disable=SC2154
# The finance example on throw-away servers: what scripts/demo and scripts/stack share. Source
# this file, after servers.sh, with $repo set; it defines functions only.

# The binary: PGCHRONICLE_BIN, else the release build.
finance_bin() {
    echo "${PGCHRONICLE_BIN:-$repo/build/release/pgchronicle}"
}

# Installs what is missing and builds the release preset. Says little when there is nothing to do.
finance_build() {
    [[ -z ${PGCHRONICLE_BIN:-} ]] || return 0
    "$repo/scripts/install-deps" --run-only
    local log
    log=$(mktemp)
    (cd "$repo" && cmake --preset release) >"$log" 2>&1 ||
        { cat "$log" >&2; rm -f "$log"; return 1; }
    rm -f "$log"
    [[ -x $(finance_bin) ]] || echo "building pgchronicle; the first time takes a few minutes"
    cmake --build "$repo/build/release" --target pgchronicle
}

# Creates the source database on the server in DIR: the slot, then the publication, then rows.
finance_seed_source() {
    local dir=$1 sql=$repo/examples/finance/source
    server_psql "$dir" postgres <"$sql/01_roles.sql"
    server_psql "$dir" finance_db <"$sql/02_schema.sql"
    server_psql "$dir" finance_db <"$sql/03_slot_and_publication.sql" >/dev/null
    server_psql "$dir" finance_db <"$sql/04_traffic.sql"
    server_psql "$dir" finance_db <"$sql/05_first_rows.sql"
}

# Creates role, database and schema on the target server in DIR.
finance_seed_target() {
    server_psql "$1" postgres <"$repo/examples/finance/target/01_roles.sql"
}

# psql as the owner of the source's tables, and as the owner of the target.
finance_source_psql() {
    local dir=$1
    shift
    server_psql "$dir" finance_db -U finance_db_user "$@"
}

finance_target_psql() {
    local dir=$1
    shift
    server_psql "$dir" analytics_db -U analytics_user "$@"
}

# Exports what examples/finance/pgchronicle.yaml reads, for the servers in two folders, and the
# port of the page.
finance_export() {
    export HTTP_LISTEN=127.0.0.1:${3:-8000}
    export SOURCE_HOST=127.0.0.1 SOURCE_PORT SOURCE_PASSWORD=cdc_1234
    export TARGET_HOST=127.0.0.1 TARGET_PORT TARGET_PASSWORD=1234
    SOURCE_PORT=$(cat "$1/port")
    TARGET_PORT=$(cat "$2/port")
}

# Runs pgchronicle with the example's configuration.
finance_pgchronicle() {
    local command=$1
    shift
    "$(finance_bin)" "$command" --config "$repo/examples/finance/pgchronicle.yaml" "$@"
}

# True once pgchronicle's first run has created the four history tables.
finance_history_exists() {
    [[ $(finance_target_psql "$1" -At -c "
        SELECT count(*) FROM unnest(ARRAY['customers', 'products', 'orders', 'order_items']) AS t
        WHERE to_regclass('analytics.' || t || '_history') IS NOT NULL") == 4 ]]
}

# Creates the four views.
finance_create_views() {
    finance_target_psql "$1" <"$repo/examples/finance/target/02_views.sql"
}

# Prints the SQL that shows the first rows of each of the four views, under its name.
finance_views_sql() {
    local rows=$1 view
    printf '%s\n' '\pset footer off'
    for view in open_orders_by_delivery_date_status top_delivery_dates_open_orders \
        open_pending_items_by_product top_customers_with_pending_orders; do
        printf '%s\n' "\\echo analytics.$view" "SELECT * FROM analytics.$view LIMIT $rows;"
    done
}
