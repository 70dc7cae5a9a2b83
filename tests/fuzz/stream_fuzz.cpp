#include "pgoutput/byte_reader.hpp"
#include "tests/fuzz/fuzz_session.hpp"
#include "tests/fuzz/history_invariants.hpp"

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

// A whole session of any bytes: frames through inbox, decoder, assembler and batch builder into a
// target in memory. The first byte says how, seven more where it begins; then come messages, each
// behind a length of two bytes, whose highest bit says that a whole frame follows instead. So what
// is of use to sequence_fuzz is of use here.

namespace {

using namespace pgchronicle;
using namespace pgchronicle::test;
using history_writer::HistoryTable;
using history_writer::WireForm;

/// What the first byte chooses.
struct Choices {
    explicit Choices(unsigned bits)
        : form{(bits & 1U) != 0 ? WireForm::binary : WireForm::text},
          spools{(bits & 2U) != 0},
          keyless_under_full{(bits & 4U) != 0},
          excludes{(bits & 8U) != 0},
          tracks_some{(bits & 16U) != 0},
          collapses{(bits & 32U) != 0},
          partitioned{(bits & 64U) != 0} {}

    WireForm form;
    bool spools;
    bool keyless_under_full;
    bool excludes;     ///< The last column that is not of the key.
    bool tracks_some;  ///< All but that one.
    bool collapses;
    bool partitioned;
};

/// Columns of the row key, as indexes into the relation's.
std::vector<std::size_t> key_columns(const pgoutput::Relation& relation, const Choices& choices) {
    std::vector<std::size_t> key;
    switch (relation.replica_identity) {
    case pgoutput::ReplicaIdentity::full:
        if (!choices.keyless_under_full && !relation.columns.empty()) key.push_back(0);
        return key;
    case pgoutput::ReplicaIdentity::by_default:
    case pgoutput::ReplicaIdentity::index:
    case pgoutput::ReplicaIdentity::nothing:
        for (std::size_t i = 0; i < relation.columns.size(); ++i) {
            if (relation.columns[i].in_identity) key.push_back(i);
        }
        return key;
    }
    return key;
}

/// Says where rows go, as a catalog and a configuration would; every new shape of a relation gets
/// a history of its own, for how shapes change is not what is tried here.
class Tables {
public:
    explicit Tables(const Choices& choices) : choices_{choices} {}

    std::shared_ptr<const HistoryTable> of(const pgoutput::Relation& relation) {
        auto table = std::make_shared<HistoryTable>();
        table->relation = relation.id;
        table->source_schema = relation.schema_name;
        table->source_table = relation.name;
        const auto key = key_columns(relation, choices_);
        table->keyed = !key.empty();
        table->partitioned = choices_.partitioned;
        table->collapse = choices_.collapses && table->keyed;
        const auto in_key = [&](std::size_t i) { return std::ranges::find(key, i) != key.end(); };
        const auto count = relation.columns.size();
        const bool has_spare = count > 1 && !in_key(count - 1);
        for (std::size_t i = 0; i < count; ++i) {
            const bool spare = has_spare && i + 1 == count;
            const bool out = spare && choices_.excludes;
            table->kept.push_back(out ? -1 : static_cast<std::int32_t>(table->columns.size()));
            if (out) continue;
            const auto& name = relation.columns[i].name;
            table->columns.push_back({name, name, "text"});
            table->columns.back().tracked = !(spare && choices_.tracks_some);
            table->tracks_all = table->tracks_all && table->columns.back().tracked;
        }
        for (const auto i : key) table->key.push_back(static_cast<std::uint16_t>(table->kept[i]));
        return known(relation, std::move(table));
    }

    void check(const MemoryTarget& target) const {
        for (const auto& [name, versions] : target.tables()) {
            check_table(versions, keys_.at(name));
        }
    }

private:
    /// The same shape keeps its history; MemoryTarget goes by the table's name.
    std::shared_ptr<const HistoryTable>
    known(const pgoutput::Relation& relation, std::shared_ptr<HistoryTable> table) {
        for (std::size_t i = 0; i < relations_.size(); ++i) {
            if (relations_[i] == relation) return tables_[i];
        }
        table->source_table += '#' + std::to_string(relations_.size());
        // The net effect is taken of a relation's one history.
        constexpr std::size_t first_id = 1'000'000;
        if (table->collapse)
            table->relation = static_cast<pgoutput::RelationId>(first_id + relations_.size());
        relations_.push_back(relation);
        tables_.push_back(table);
        keys_[table->source_table] = table->key;
        return table;
    }

    Choices choices_;
    std::vector<pgoutput::Relation> relations_;
    std::vector<std::shared_ptr<const HistoryTable>> tables_;
    std::map<std::string, std::vector<std::uint16_t>> keys_;
};

/// The frames that `in` makes; a length that goes too far ends them.
std::vector<Bytes> frames_of(pgoutput::ByteReader in) {
    constexpr unsigned whole_frame = 0x8000;
    std::vector<Bytes> frames;
    while (in.ok() && in.remaining() > 0) {
        const unsigned length = in.u16();
        const auto bytes = in.bytes(length & ~whole_frame);
        if (!in.ok()) break;
        if ((length & whole_frame) != 0) {
            frames.emplace_back(bytes.begin(), bytes.end());
        } else {
            frames.push_back(encode(pgoutput::XLogData{{}, {}, {}, bytes}));
        }
    }
    return frames;
}

/// Where the commit that begins there ends, as the first message that names it says.
std::optional<pgoutput::Lsn>
commit_end(const std::vector<Bytes>& frames, const pgoutput::Begin& begin) {
    for (const auto& bytes : frames) {
        const auto frame = pgoutput::decode_frame(bytes);
        const auto* const data = frame.ok() ? std::get_if<pgoutput::XLogData>(&*frame) : nullptr;
        if (data == nullptr) continue;
        const auto message =
            pgoutput::decode(data->payload, pgoutput::StreamContext::outside_stream);
        const auto* const commit =
            message.ok() ? std::get_if<pgoutput::Commit>(&*message) : nullptr;
        if (commit != nullptr && commit->commit_lsn == begin.final_lsn) return commit->end_lsn;
    }
    return std::nullopt;
}

/// How one session over the frames ended.
struct Ending {
    bool rejected{false};
    bool rejected_while_coming{false};
    MemoryTarget::Tables tables;
};

Ending run(
    const std::vector<Bytes>& frames,
    const Choices& choices,
    Tables& tables,
    MemoryTarget& target,
    std::size_t cut
) {
    Random random{std::uint64_t{7}};
    SessionOptions options{choices.form, choices.spools ? 64U : 1U << 20U, cut, cut, cut, {}};
    options.commit_end = [&](const auto& begin) { return commit_end(frames, begin); };
    FuzzSession session{
        target, options, [&](const auto& relation) { return tables.of(relation); }, random};
    for (const auto& frame : frames) {
        if (!session.on_frame(frame)) break;
    }
    session.finish();
    tables.check(target);
    return {session.rejection().has_value(), session.rejected_while_coming(), target.tables()};
}

/// Says how two histories differ, if they do.
bool same(const MemoryTarget::Tables& one, const MemoryTarget::Tables& other) {
    const auto sorted = [](const MemoryTarget::Tables& tables, const std::string& name) {
        const auto found = tables.find(name);
        auto versions = found == tables.end() ? ModelTable{} : found->second;
        std::ranges::sort(versions);
        return versions;
    };
    std::set<std::string> names;
    for (const auto* tables : {&one, &other}) {
        for (const auto& [name, versions] : *tables) names.insert(name);
    }
    for (const auto& name : names) {
        if (sorted(one, name) == sorted(other, name)) continue;
        for (const auto& version : sorted(one, name)) std::cerr << "one: " << version << '\n';
        for (const auto& version : sorted(other, name)) std::cerr << "other: " << version << '\n';
        return false;
    }
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    pgoutput::ByteReader in{std::as_bytes(std::span{data, size})};
    const auto header = in.u64();
    if (!in.ok()) return 0;
    constexpr unsigned position_bits = 56;
    const Choices choices{static_cast<unsigned>(header >> position_bits)};
    const pgoutput::Lsn start{header & ((std::uint64_t{1} << position_bits) - 1)};
    const auto frames = frames_of(in);

    // Everything in one batch, and a batch for everything.
    Tables tables{choices};
    MemoryTarget in_one;
    in_one.start_at(start);
    const auto whole = run(frames, choices, tables, in_one, 0);
    MemoryTarget in_many;
    in_many.start_at(start);
    const auto cut = run(frames, choices, tables, in_many, 1);
    require(cut.rejected_while_coming || whole.rejected == cut.rejected, "a cut decides nothing");
    if (!whole.rejected && !cut.rejected_while_coming)
        require(same(whole.tables, cut.tables), "a cut changes nothing");

    // The service starts again, and the server sends the same once more.
    const auto position = in_many.position();
    const auto again = run(frames, choices, tables, in_many, 1);
    require(same(again.tables, cut.tables), "what is stored is not stored again");
    require(in_many.position() >= position, "the checkpoint does not move back");
    return 0;
}
