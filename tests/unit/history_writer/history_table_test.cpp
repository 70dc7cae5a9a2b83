#include "history_writer/history_table.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace pgchronicle;
using namespace pgchronicle::history_writer;
using pgoutput::ReplicaIdentity;

constexpr std::uint32_t int4_oid = 23;
constexpr std::uint32_t text_oid = 25;

source_catalog::Column
column(const char* name, std::uint32_t oid = text_oid, const char* type_sql = "text") {
    source_catalog::Column made;
    made.name = name;
    made.type = static_cast<pgoutput::TypeOid>(oid);
    made.type_schema = "pg_catalog";
    made.type_sql = type_sql;
    return made;
}

/// public.orders (id integer primary key, code text, note text)
source_catalog::Table orders() {
    source_catalog::Table table;
    table.id = pgoutput::RelationId{16400};
    table.schema_name = "public";
    table.name = "orders";
    table.columns = {column("id", int4_oid, "integer"), column("code"), column("note")};
    table.primary_key = {"id"};
    return table;
}

config::Settings settings() {
    config::Settings made;
    made.target.schema = "analytics";
    return made;
}

/// Whether a table with this one column beside its key may be streamed in binary.
bool safe_with(const source_catalog::Column& column) {
    auto table = orders();
    table.columns.push_back(column);
    return binary_safe(table, plan_history_table(table, settings()));
}

}  // namespace

TEST_CASE("a table goes to the target's schema with the suffix", "[history_writer]") {
    REQUIRE(
        target_name("public", "orders", settings()) == TargetName{"analytics", "orders_history"}
    );
    auto other = settings();
    other.target.schema = "{schema}_hist";
    other.target.table_suffix = "_h";
    REQUIRE(target_name("sales", "orders", other) == TargetName{"sales_hist", "orders_h"});
    other.tables.overrides["sales.orders"].target_table = "sold";
    REQUIRE(target_name("sales", "orders", other) == TargetName{"sales_hist", "sold"});
}

TEST_CASE("a name that fits is kept, one byte more is cut and hashed", "[history_writer]") {
    REQUIRE(shortened(std::string(63, 'a')) == std::string(63, 'a'));
    const auto cut = shortened(std::string(64, 'a'));
    REQUIRE(cut.size() == 63);
    REQUIRE(cut.substr(0, 55) == std::string(54, 'a') + "_");
}

TEST_CASE("long names that begin alike stay apart", "[history_writer]") {
    const std::string prefix(70, 'a');
    REQUIRE(shortened(prefix + "1") != shortened(prefix + "2"));
    REQUIRE(shortened(prefix + "1") == shortened(prefix + "1"));
    const auto one = target_name("public", std::string(63, 'a'), settings());
    const auto two = target_name("public", std::string(62, 'a') + "b", settings());
    REQUIRE(one.table.size() <= 63);
    REQUIRE(one.table != two.table);
}

TEST_CASE("a name is never cut inside of a character", "[history_writer]") {
    for (const std::string start : {"", "x", "xy", "xyz"}) {
        std::string name = start;
        while (name.size() <= 63) name += "€";
        const auto cut = shortened(name);
        REQUIRE(cut.size() <= 63);
        const auto kept = cut.substr(0, cut.size() - 9);
        REQUIRE((kept.size() - start.size()) % std::string{"€"}.size() == 0);
        REQUIRE(name.starts_with(kept));
    }
}

TEST_CASE("views and functions are named without the suffix", "[history_writer]") {
    REQUIRE(plan_history_table(orders(), settings()).base_name == "orders");
    auto renamed = settings();
    renamed.tables.overrides["public.orders"].target_table = "sold";
    REQUIRE(plan_history_table(orders(), renamed).base_name == "sold");
}

TEST_CASE(
    "columns keep their order and types, renamed and excluded as configured",
    "[history_writer]"
) {
    auto configured = settings();
    configured.tables.overrides["public.orders"] = {
        .rename = {{"note", "remark"}}, .exclude_columns = {"code"}};
    const auto table = plan_history_table(orders(), configured);
    REQUIRE(table.kept == std::vector<std::int32_t>{0, -1, 1});
    REQUIRE(table.columns.size() == 2);
    REQUIRE(table.columns[0] == HistoryColumn{"id", "id", "integer"});
    REQUIRE(table.columns[1] == HistoryColumn{"remark", "note", "text"});
    REQUIRE(table.key == std::vector<std::uint16_t>{0});
}

TEST_CASE("overrides of another table do not count", "[history_writer]") {
    auto configured = settings();
    configured.tables.overrides["sales.orders"] = {.exclude_columns = {"code"}};
    REQUIRE(plan_history_table(orders(), configured).columns.size() == 3);
}

TEST_CASE("the row key is the primary key, whatever else the old tuple holds", "[history_writer]") {
    for (const auto identity :
         {ReplicaIdentity::by_default, ReplicaIdentity::full, ReplicaIdentity::nothing}) {
        auto source = orders();
        source.replica_identity = identity;
        source.identity_index = {"code"};
        const auto table = plan_history_table(source, settings());
        REQUIRE(table.keyed);
        REQUIRE(table.key == std::vector<std::uint16_t>{0});
    }
}

TEST_CASE("under USING INDEX the row key is the index's", "[history_writer]") {
    auto source = orders();
    source.replica_identity = ReplicaIdentity::index;
    source.identity_index = {"note", "code"};
    REQUIRE(plan_history_table(source, settings()).key == std::vector<std::uint16_t>{2, 1});
}

TEST_CASE("a key keeps its own order, not the columns'", "[history_writer]") {
    auto source = orders();
    source.primary_key = {"note", "id"};
    REQUIRE(plan_history_table(source, settings()).key == std::vector<std::uint16_t>{2, 0});
}

TEST_CASE(
    "without a key, or with a part of it excluded, the whole row is the key",
    "[history_writer]"
) {
    auto source = orders();
    source.primary_key.clear();
    REQUIRE_FALSE(plan_history_table(source, settings()).keyed);
    source.primary_key = {"id", "code"};
    auto configured = settings();
    configured.tables.overrides["public.orders"] = {.exclude_columns = {"code"}};
    const auto table = plan_history_table(source, configured);
    REQUIRE_FALSE(table.keyed);
    REQUIRE(table.key.empty());
}

TEST_CASE("a key's type decides when two keys are equal", "[history_writer]") {
    const auto equality = [](std::uint32_t oid) {
        auto source = orders();
        source.columns[0] = column("id", oid, "x");
        return plan_history_table(source, settings()).columns[0].equality;
    };
    REQUIRE(equality(int4_oid) == KeyEquality::bytes);
    REQUIRE(equality(text_oid) == KeyEquality::bytes);
    REQUIRE(equality(1700) == KeyEquality::numeric);
    REQUIRE(equality(700) == KeyEquality::floating);
    REQUIRE(equality(701) == KeyEquality::floating);
    REQUIRE(equality(1042) == KeyEquality::blank_padded);
    REQUIRE(equality(1186) == KeyEquality::asked);
    REQUIRE(equality(1231) == KeyEquality::asked);
    // Kept as text, which knows no other equality.
    REQUIRE(equality(16'500) == KeyEquality::bytes);
    REQUIRE_FALSE(plan_history_table(orders(), settings()).asks_equality);
}

TEST_CASE("a type of an extension is kept as such where the target has it", "[history_writer]") {
    auto source = orders();
    source.columns[0] = column("id", 16'500, "public.citext");
    source.columns[0].type_name = "citext";
    source.columns[0].extension = "citext";
    const auto without = plan_history_table(source, settings());
    REQUIRE(without.columns[0].type_sql == "text");
    REQUIRE(without.columns[0].stored_as_text);
    TargetTypes types;
    types.extension_types[{"citext", "citext"}] = {"ext.citext", "OPERATOR(ext.=)"};
    const auto with = plan_history_table(source, settings(), types);
    REQUIRE(with.columns[0].type_sql == "ext.citext");
    REQUIRE(with.columns[0].equals == "OPERATOR(ext.=)");
    REQUIRE(with.asks_equality);
    REQUIRE_FALSE(binary_safe(source, with));
    // Binary, an array carries the number that its element's type has on the source.
    source.columns[0].type_name = "_citext";
    source.columns[0].array = true;
    source.columns[0].element_type = 16'500;
    types.extension_types[{"citext", "_citext"}] = {"ext._citext", "OPERATOR(pg_catalog.=)"};
    REQUIRE(plan_history_table(source, settings(), types).columns[0].type_sql == "text");
}

TEST_CASE("a key's collation that makes texts equal is made on the target", "[history_writer]") {
    auto source = orders();
    source.columns[0] = column("id", text_oid, "text");
    source.columns[0].deterministic_collation = false;
    source.columns[0].collation_name = "any_case";
    source.columns[0].collation_locale = "und-u-ks-level2";
    const auto without = plan_history_table(source, settings());
    REQUIRE_FALSE(without.columns[0].collation);
    REQUIRE_FALSE(without.asks_equality);
    const auto with = plan_history_table(source, settings(), {.icu = true});
    REQUIRE(with.columns[0].collation->locale == "und-u-ks-level2");
    REQUIRE(with.asks_equality);
}

TEST_CASE("what an older target cannot hold is kept as text", "[history_writer]") {
    const auto interval = column("took", 1186, "interval");
    REQUIRE(target_type(interval, {.versions = {170'002, 150'018}}).as_text);
    REQUIRE_FALSE(target_type(interval, {.versions = {170'002, 180'001}}).as_text);
    REQUIRE_FALSE(target_type(interval, {.versions = {150'018, 180'001}}).as_text);
    REQUIRE_FALSE(target_type(interval, {.versions = {160'004, 150'018}}).as_text);
    auto domain = column("took", 16'500, "span");
    domain.type_kind = 'd';
    domain.base_type = 1186;
    domain.domain_base_sql = "interval";
    REQUIRE(target_type(domain, {.versions = {170'002, 150'018}}).as_text);
}

TEST_CASE("columns that are not tracked are known, and the key always is", "[history_writer]") {
    auto configured = settings();
    configured.tables.overrides["public.orders"].track = {"status"};
    const auto table = plan_history_table(orders(), configured);
    REQUIRE_FALSE(table.tracks_all);
    for (const auto& each : table.columns) {
        REQUIRE(each.tracked == (each.source_name == "status" || each.source_name == "id"));
    }
    REQUIRE(plan_history_table(orders(), settings()).tracks_all);
}

TEST_CASE("the net effect of transactions is kept for tables with a key", "[history_writer]") {
    auto configured = settings();
    configured.tables.intra_transaction = pgchronicle::config::IntraTransaction::collapse;
    REQUIRE(plan_history_table(orders(), configured).collapse);
    auto without_key = orders();
    without_key.primary_key.clear();
    REQUIRE_FALSE(plan_history_table(without_key, configured).collapse);
    configured.tables.overrides["public.orders"].intra_transaction =
        pgchronicle::config::IntraTransaction::keep;
    REQUIRE_FALSE(plan_history_table(orders(), configured).collapse);
}

TEST_CASE("an unknown key stops, unless configured or never copied", "[history_writer]") {
    using config::OnUnknownKey;
    REQUIRE(plan_history_table(orders(), settings()).on_unknown_key == OnUnknownKey::stop);
    auto configured = settings();
    configured.tables.overrides["public.orders"].on_unknown_key = OnUnknownKey::open;
    REQUIRE(plan_history_table(orders(), configured).on_unknown_key == OnUnknownKey::open);
    auto never = settings();
    never.snapshot = config::Snapshot::never;
    REQUIRE(plan_history_table(orders(), never).on_unknown_key == OnUnknownKey::open);
    never.tables.overrides["public.orders"].on_unknown_key = OnUnknownKey::stop;
    REQUIRE(plan_history_table(orders(), never).on_unknown_key == OnUnknownKey::stop);
}

TEST_CASE("a type that the target does not have is kept as text", "[history_writer]") {
    auto status = column("status", 16500, "public.status");
    status.type_kind = 'e';
    REQUIRE(target_type(status).as_text);
    REQUIRE(target_type(status).type_sql == "text");
    auto statuses = column("statuses", 16501, "public.status[]");
    statuses.array = true;
    statuses.element_type = 16500;
    REQUIRE(target_type(statuses).as_text);
    REQUIRE(target_type(column("name", 2205, "regclass")).as_text);
    REQUIRE_FALSE(target_type(column("id", int4_oid, "integer")).as_text);
}

TEST_CASE("a domain is kept as its base type", "[history_writer]") {
    auto domain = column("amount", 16600, "public.amount");
    domain.type_kind = 'd';
    domain.base_type = 1700;
    domain.domain_base_sql = "numeric(10,2)";
    REQUIRE(target_type(domain).type_sql == "numeric(10,2)");
    REQUIRE_FALSE(target_type(domain).as_text);
    domain.base_type = 16601;
    domain.domain_base_sql = "public.status";
    REQUIRE(target_type(domain).as_text);
}

TEST_CASE("built-in types travel in binary", "[history_writer]") {
    REQUIRE(safe_with(column("at", 1184, "timestamptz")));
    auto numbers = column("numbers", 1007, "integer[]");
    numbers.array = true;
    numbers.element_type = int4_oid;
    REQUIRE(safe_with(numbers));
    auto period = column("period", 3908, "tsrange");
    period.type_kind = 'r';
    REQUIRE(safe_with(period));
}

TEST_CASE("what has no binary form that means the same travels as text", "[history_writer]") {
    auto status = column("status", 16500, "public.status");
    status.type_kind = 'e';
    REQUIRE_FALSE(safe_with(status));
    REQUIRE_FALSE(safe_with(column("name", 2205, "regclass")));
    auto silent = column("acl", 1033, "aclitem");
    silent.has_binary_send = false;
    REQUIRE_FALSE(safe_with(silent));
    auto names = column("names", 2210, "regclass[]");
    names.array = true;
    names.element_type = 2205;
    REQUIRE_FALSE(safe_with(names));
}

TEST_CASE("an excluded column does not decide about the form", "[history_writer]") {
    auto source = orders();
    source.columns[1] = column("code", 2205, "regclass");
    auto configured = settings();
    configured.tables.overrides["public.orders"] = {.exclude_columns = {"code"}};
    REQUIRE(binary_safe(source, plan_history_table(source, configured)));
}

TEST_CASE("an array in the key travels as text", "[history_writer]") {
    auto source = orders();
    auto numbers = column("id", 1007, "integer[]");
    numbers.array = true;
    numbers.element_type = int4_oid;
    source.columns[0] = numbers;
    REQUIRE_FALSE(binary_safe(source, plan_history_table(source, settings())));
}

TEST_CASE(
    "a relation matches the table it was planned for and no other shape",
    "[history_writer]"
) {
    const auto source = orders();
    const auto relation = [&] {
        pgoutput::Relation made{source.id, "public", "orders", source.replica_identity, {}};
        for (const auto& c : source.columns) {
            made.columns.push_back({c.name == source.primary_key.at(0), c.name, c.type, -1});
        }
        return made;
    };
    REQUIRE(matches(relation(), source));
    auto other = relation();
    other.columns[0].in_identity = false;
    other.columns[1].in_identity = true;
    REQUIRE_FALSE(matches(other, source));
    other = relation();
    other.columns.pop_back();
    REQUIRE_FALSE(matches(other, source));
    other = relation();
    other.columns[1].name = "kode";
    REQUIRE_FALSE(matches(other, source));
    other = relation();
    other.columns[1].type_modifier = 14;
    REQUIRE_FALSE(matches(other, source));
    other = relation();
    other.replica_identity = ReplicaIdentity::full;
    REQUIRE_FALSE(matches(other, source));
    other = relation();
    other.schema_name = "sales";
    REQUIRE_FALSE(matches(other, source));
}
