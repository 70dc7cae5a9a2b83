#include "bench/micro/generated_stream.hpp"

#include <cstdlib>
#include <map>
#include <random>
#include <string>

namespace pgchronicle::bench {

using history_writer::HistoryTable;
using pgoutput::Lsn;
using test::Cell;
using test::Row;

namespace {

constexpr pgoutput::RelationId relation_id{16400};
constexpr pgoutput::TypeOid int8_oid{20};
constexpr pgoutput::TypeOid text_oid{25};
constexpr pgoutput::TypeOid varchar_oid{1043};
constexpr pgoutput::TypeOid date_oid{1082};
constexpr pgoutput::TypeOid timestamp_oid{1114};

constexpr std::size_t rows_in_stream = 50'000;
constexpr std::size_t wide_rows_in_stream = 40'000;
constexpr std::uint64_t keys_in_table = 1'000'000;
constexpr std::uint64_t hot_keys = 1'000;
constexpr std::size_t wide_columns = 60;
constexpr pgoutput::PgTimestamp commit_time{846'849'600'123'456};

/// What stands in a frame before its message: 'w', two positions, a time.
constexpr std::size_t frame_header_bytes = 25;
/// Where the positions stand in a message: after its tag, for Commit after its flags too.
constexpr std::size_t begin_lsn_offset = frame_header_bytes + 1;
constexpr std::size_t commit_lsn_offset = frame_header_bytes + 2;
/// A commit record takes about as much.
constexpr std::uint64_t commit_bytes = 48;

Cell int64(std::uint64_t value) {
    std::string bytes;
    for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFFU);
    return test::binary(std::move(bytes));
}

Cell int32(std::uint64_t value) {
    return test::binary(int64(value).content.substr(sizeof(std::int32_t)));
}

/// A row of the finance example's orders: nine columns, about 110 bytes.
std::vector<Cell> order(std::uint64_t key, std::size_t n) {
    static const char* const statuses[] = {"PENDING", "PROCESSING", "COMPLETED", "REPROCESSING"};
    const auto time = static_cast<std::uint64_t>(commit_time.microseconds) + n;
    return {
        int64(key),
        int32(9'800),
        int32(9'810),
        int64(1 + key % 50'000),
        test::binary(statuses[n % 4]),
        int64(time),
        int64(n % 100),
        int64(time),
        int64(1)};
}

std::vector<Cell> wide_row(std::uint64_t key, std::size_t n) {
    std::vector<Cell> cells{int64(key)};
    while (cells.size() < wide_columns) {
        switch (cells.size() % 3) {
        case 0:
            cells.push_back(int64(n));
            break;
        case 1:
            cells.push_back(test::binary("text of usual length"));
            break;
        default:
            cells.push_back(test::null());
        }
    }
    return cells;
}

std::size_t rows_per_transaction(Load load) {
    switch (load) {
    case Load::inserts:
        return 1'000;
    case Load::single_updates:
        return 1;
    case Load::updates:
    case Load::hot_updates:
    case Load::full_updates:
    case Load::deletes:
    case Load::wide_inserts:
        return 100;
    }
    return 1;
}

/// Keys without end: one after the other where rows are new, else random ones.
class Keys {
public:
    explicit Keys(Load load) : load_{load}, random_{seed()} {}

    std::uint64_t next() {
        switch (load_) {
        case Load::inserts:
        case Load::wide_inserts:
            return ++last_;
        case Load::deletes:
            // A key ends once; the odd factor goes through all of them in no order.
            return ++last_ * 7'919 % keys_in_table;
        case Load::hot_updates:
            return 1 + random_() % hot_keys;
        case Load::updates:
        case Load::single_updates:
        case Load::full_updates:
            return 1 + random_() % keys_in_table;
        }
        return 0;
    }

private:
    Load load_;
    std::mt19937_64 random_;
    std::uint64_t last_{0};
};

test::Bytes message(Load load, std::uint64_t key, std::size_t n) {
    using pgoutput::OldTupleKind;
    switch (load) {
    case Load::inserts:
        return test::encode(pgoutput::Insert{{}, relation_id, Row{order(key, n)}.tuple()});
    case Load::wide_inserts:
        return test::encode(pgoutput::Insert{{}, relation_id, Row{wide_row(key, n)}.tuple()});
    case Load::updates:
    case Load::hot_updates:
    case Load::single_updates: {
        const Row row{order(key, n)};
        return test::encode(pgoutput::Update{{}, relation_id, {}, {}, row.tuple()});
    }
    case Load::full_updates: {
        const Row before{order(key, n)};
        const Row after{order(key, n + 1)};
        return test::encode(pgoutput::Update{
            {}, relation_id, OldTupleKind::full, before.tuple(), after.tuple()});
    }
    case Load::deletes: {
        auto cells = order(key, n);
        for (std::size_t i = 1; i < cells.size(); ++i) cells[i] = test::null();
        const Row row{cells};
        return test::encode(pgoutput::Delete{{}, relation_id, OldTupleKind::key, row.tuple()});
    }
    }
    return {};
}

}  // namespace

GeneratedStream::GeneratedStream(Load load) {
    describe(load);
    Keys keys{load};
    const auto rows = load == Load::wide_inserts ? wide_rows_in_stream : rows_in_stream;
    Lsn commit_lsn{0x1'0000'0000};
    while (rows_ < rows) {
        const Lsn end_lsn{commit_lsn.value + commit_bytes};
        Transaction transaction{frames_.size(), 0, end_lsn};
        add(test::encode(pgoutput::Begin{commit_lsn, commit_time, pgoutput::Xid{742}}));
        for (std::size_t i = 0; i < rows_per_transaction(load); ++i) {
            add(message(load, keys.next(), rows_++));
        }
        transaction.last = frames_.size();
        add(test::encode(pgoutput::Commit{0, commit_lsn, end_lsn, commit_time}));
        transactions_.push_back(transaction);
        commit_lsn = end_lsn;
    }
}

void GeneratedStream::describe(Load load) {
    using pgoutput::Column;
    std::vector<Column> columns{
        {true, "order_id", int8_oid, -1},
        {false, "order_date", date_oid, -1},
        {false, "delivery_date", date_oid, -1},
        {false, "customer_id", int8_oid, -1},
        {false, "status", varchar_oid, -1},
        {false, "updated_at", timestamp_oid, 3},
        {false, "updated_by", int8_oid, -1},
        {false, "created_at", timestamp_oid, 3},
        {false, "created_by", int8_oid, -1}};
    if (load == Load::wide_inserts) columns.resize(1);
    while (load == Load::wide_inserts && columns.size() < wide_columns) {
        const auto type = columns.size() % 3 == 0 ? int8_oid : text_oid;
        columns.push_back({false, "column_" + std::to_string(columns.size()), type, -1});
    }
    const bool full = load == Load::full_updates;
    const auto identity =
        full ? pgoutput::ReplicaIdentity::full : pgoutput::ReplicaIdentity::by_default;
    for (auto& column : columns) column.in_identity |= full;

    HistoryTable table;
    table.relation = relation_id;
    table.source_schema = "operations";
    table.source_table = "orders";
    for (const auto& column : columns) {
        table.kept.push_back(static_cast<std::int32_t>(table.columns.size()));
        table.columns.push_back({column.name, column.name, "bigint"});
    }
    table.key = {0};
    table_ = std::make_shared<const HistoryTable>(std::move(table));
    relation_ = {{}, {relation_id, "operations", "orders", identity, std::move(columns)}};
}

void GeneratedStream::add(const test::Bytes& message) {
    const auto frame = test::encode(pgoutput::XLogData{Lsn{1}, Lsn{1}, commit_time, message});
    frames_.push_back({wire_.size(), frame.size()});
    wire_.insert(wire_.end(), frame.begin(), frame.end());
}

void GeneratedStream::set_lsn(std::size_t offset, Lsn lsn) {
    for (std::size_t i = 0; i < sizeof lsn.value; ++i) {
        const auto shift = 8 * (sizeof lsn.value - 1 - i);
        wire_[offset + i] = static_cast<std::byte>(lsn.value >> shift & 0xFFU);
    }
}

void GeneratedStream::move_on() {
    const auto distance = transactions_.size() * commit_bytes;
    for (auto& transaction : transactions_) {
        const Lsn commit_lsn{transaction.end_lsn.value - commit_bytes + distance};
        transaction.end_lsn = Lsn{commit_lsn.value + commit_bytes};
        set_lsn(frames_[transaction.first].offset + begin_lsn_offset, commit_lsn);
        const auto commit = frames_[transaction.last].offset + commit_lsn_offset;
        set_lsn(commit, commit_lsn);
        set_lsn(commit + sizeof commit_lsn.value, transaction.end_lsn);
    }
}

GeneratedStream& stream_of(Load load) {
    static std::map<Load, GeneratedStream> streams;
    return streams.try_emplace(load, load).first->second;
}

std::uint64_t seed() {
    const char* const text = std::getenv("PGCHRONICLE_SEED");
    return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

}  // namespace pgchronicle::bench
