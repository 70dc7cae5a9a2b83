#include "pgoutput/byte_reader.hpp"
#include "tests/fuzz/fuzz_session.hpp"
#include "tests/fuzz/history_invariants.hpp"
#include "tests/fuzz/stream_faults.hpp"
#include "tests/property/stream_run.hpp"

#include <cstdint>
#include <iterator>
#include <optional>
#include <vector>

// Sessions that are mostly as a server has them: the bytes tell a story, whose history a slow
// model knows, and say how it is delivered and what one thing is wrong with that. Whatever is
// stored must be what the model says of whole transactions.

namespace {

using namespace pgchronicle;
using namespace pgchronicle::test;

/// What stands before the story.
struct Plan {
    explicit Plan(pgoutput::ByteReader& in) : seed{in.u64()}, reconnects{in.u8() % 3U} {
        fault.kind = static_cast<Fault>(in.u8() % static_cast<unsigned>(Fault::count));
        fault.frame = in.u16();
        fault.offset = in.u16();
        fault.choice = in.u8();
        forms = in.u8();
    }

    std::uint64_t seed;  ///< Of the delivery.
    std::size_t reconnects;
    FaultPlan fault;
    unsigned forms{0};

    [[nodiscard]] SessionOptions options() const {
        using history_writer::WireForm;
        SessionOptions options;
        options.form = (forms & 1U) != 0 ? WireForm::binary : WireForm::text;
        options.memory_max = (forms & 2U) != 0 ? 64U : 1U << 20U;
        options.cut_after_transaction = forms >> 2U & 3U;
        options.cut_inside_transaction = (forms >> 4U & 3U) * 2;
        options.hand_out = (forms >> 6U & 3U) * 2;
        return options;
    }
};

std::vector<FuzzSession::HistoryTablePtr> make_tables() {
    std::vector<FuzzSession::HistoryTablePtr> tables;
    for (std::size_t i = 0; i < story_tables().size(); ++i) tables.push_back(history_table(i));
    return tables;
}

/// Where a row of the story goes. A fault may have made another relation of it: excluded.
FuzzSession::TableOf table_of(const std::vector<FuzzSession::HistoryTablePtr>& tables) {
    return [&tables](const pgoutput::Relation& relation) -> FuzzSession::HistoryTablePtr {
        for (std::size_t i = 0; i < tables.size(); ++i) {
            const auto described =
                pgoutput::decode(describe_table(i), pgoutput::StreamContext::outside_stream);
            if (std::get<pgoutput::RelationMessage>(*described).relation == relation) {
                return tables[i];
            }
        }
        return nullptr;
    };
}

void check_invariants(const MemoryTarget& target) {
    for (std::size_t i = 0; i < story_tables().size(); ++i) {
        const auto table = history_table(i);
        const auto found = target.tables().find(story_tables()[i].name);
        if (table == nullptr || found == target.tables().end()) continue;
        auto versions = found->second;
        for (auto& version : versions) {
            for (const auto column : table->key) {
                auto& value = version.row.at(column);
                const bool numeric = story_tables()[i].numeric_key;
                if (numeric && value && value->ends_with(".0")) value->resize(value->size() - 2);
            }
        }
        check_table(versions, table->key);
    }
}

class StoryRun {
public:
    StoryRun(const Plan& plan, std::span<const std::byte> bytes)
        : plan_{plan}, bytes_{bytes}, story_{tell(no_limit)}, delivery_{plan.seed} {
        for (std::size_t i = 0; i < plan.reconnects; ++i) {
            // The connection is lost somewhere; nothing is wrong with what came.
            session({Fault::breaks_off, below(delivery_, 1000), 0, 0});
        }
        session(plan.fault);
    }

private:
    static constexpr auto no_limit = std::numeric_limits<std::size_t>::max();

    Story tell(std::size_t transactions_max) {
        // A few bytes are enough for half of the stories to be long.
        const bool goes_on = plan_.seed % 2 == 1;
        Random random = goes_on ? Random{bytes_, plan_.seed} : Random{bytes_};
        StoryShape shape;
        shape.told_at_most = transactions_max;
        return Story{random, plan_.options().form, shape};
    }

    void session(const FaultPlan& fault) {
        // The server goes by what was acknowledged last, which may be far behind.
        const auto& transactions = story_.transactions();
        std::size_t first = 0;
        while (first < transactions.size() && transactions[first].end_lsn <= target_.position())
            ++first;
        first = below(delivery_, first + 1);
        auto frames = StoryDelivery{story_, first, delivery_}.take();
        const auto faulty = commit_fault(frames, fault);

        auto options = plan_.options();
        options.commit_end = [this](const pgoutput::Begin& begin) { return end_of(begin); };
        FuzzSession session{target_, options, table_of(tables_), delivery_};
        const auto intact_until = send(session, frames, faulty);
        session.finish();
        stored_end_ = std::max(stored_end_, session.stored_end());
        if (is_harmless(fault.kind) || fault.kind == Fault::breaks_off) {
            if (session.rejection()) {
                std::fprintf(
                    stderr,
                    "%s: %s\n",
                    session.rejection()->primary.c_str(),
                    session.rejection()->detail.c_str()
                );
            }
            require(!session.rejection(), "what a server may send is accepted");
            require(
                fault.kind == Fault::breaks_off || stored_end_ == last_end(),
                "what is sent is stored"
            );
        }
        check_invariants(target_);
        const bool is_intact = session.stored_end() <= intact_until;
        if (is_harmless(fault.kind) || is_intact) check_history();
    }

    /// Sends until the session ends; the end of the last transaction that was whole before the
    /// fault came.
    static pgoutput::Lsn
    send(FuzzSession& session, const std::vector<Bytes>& frames, std::size_t faulty) {
        pgoutput::Lsn intact_until;
        for (std::size_t i = 0; i < frames.size(); ++i) {
            if (!session.on_frame(frames[i])) break;
            if (i < faulty) intact_until = std::max(intact_until, session.built_end());
        }
        return intact_until;
    }

    /// Where the commit record that begins there ends.
    [[nodiscard]] std::optional<pgoutput::Lsn> end_of(const pgoutput::Begin& begin) const {
        for (const auto& transaction : story_.transactions()) {
            const auto& first = transaction.messages.front().bytes;
            const auto told = pgoutput::decode(first, pgoutput::StreamContext::outside_stream);
            if (std::get<pgoutput::Begin>(*told).final_lsn == begin.final_lsn) {
                return transaction.end_lsn;
            }
        }
        return std::nullopt;
    }

    [[nodiscard]] pgoutput::Lsn last_end() const { return story_.transactions().back().end_lsn; }

    /// What is stored is what the model says of the transactions up to there.
    void check_history() {
        std::size_t count = 0;
        for (const auto& transaction : story_.transactions()) {
            if (transaction.end_lsn <= stored_end_) ++count;
        }
        const auto told = tell(count);
        const auto wrong = difference(target_.tables(), told.model().history());
        if (!wrong.empty()) std::fprintf(stderr, "%s", wrong.c_str());
        require(wrong.empty(), "the history is the model's");
    }

    const Plan& plan_;
    std::span<const std::byte> bytes_;
    Story story_;
    Random delivery_;
    MemoryTarget target_;
    pgoutput::Lsn stored_end_;  ///< Of the last transaction that is stored.
    std::vector<FuzzSession::HistoryTablePtr> tables_{make_tables()};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span{data, size});
    pgoutput::ByteReader in{bytes};
    const Plan plan{in};
    if (!in.ok()) return 0;
    const StoryRun run{plan, bytes.subspan(in.offset())};
    return 0;
}
