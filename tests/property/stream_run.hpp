#pragma once

#include "replicator/stream_pipeline.hpp"
#include "tests/property/memory_target.hpp"
#include "tests/property/story.hpp"

#include <cstdlib>
#include <iostream>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <variant>

// Sends a story through the pipeline into a target in memory, in batches and with crashes, the way
// a session does.

namespace pgchronicle::test {

/// Where batches end and what goes wrong; 0 is never, n is once in n chances.
struct RunOptions {
    std::size_t cut_after_transaction{0};
    std::size_t cut_inside_transaction{0};
    std::size_t crash_after_batch{0};
};

class StreamRun {
public:
    StreamRun(const Story& story, RunOptions options, Random& random)
        : story_{story}, options_{options}, random_{random} {
        while (!session()) ++crashes_;
    }

    [[nodiscard]] const MemoryTarget& target() const { return target_; }
    [[nodiscard]] std::size_t batches() const { return batches_; }
    [[nodiscard]] std::size_t crashes() const { return crashes_; }

private:
    [[nodiscard]] bool chance(std::size_t n) { return n != 0 && one_in(random_, n); }

    /// One connection, from the checkpoint to the end of the story; false when it crashed.
    bool session() {
        const auto applied_end = target_.position();
        const auto& transactions = story_.transactions();
        std::size_t first = 0;
        while (first < transactions.size() && transactions[first].end_lsn <= applied_end) ++first;
        // The server goes by what was acknowledged last, which may be far behind.
        first = below(random_, first + 1);

        pipeline_.emplace(story_.form(), applied_end, target_.recorded_time());
        described_.clear();
        position_ = applied_end;
        built_end_ = {};
        for (; first < transactions.size(); ++first) {
            const auto& transaction = transactions[first];
            const bool skipped = transaction.end_lsn <= applied_end;
            if (!send(transaction, skipped)) return false;
            if (skipped) continue;
            built_end_ = position_ = transaction.end_lsn;
            if (chance(options_.cut_after_transaction) && !hand_over(false)) return false;
        }
        return !pipeline_->builder().has_transactions() || hand_over(false);
    }

    bool send(const StoryTransaction& transaction, bool skipped) {
        pipeline_->begin(transaction.end_lsn);
        for (std::size_t i = 0; i < transaction.messages.size(); ++i) {
            const bool inside = i > 0 && !skipped;
            if (inside && chance(options_.cut_inside_transaction) && !hand_over(true)) return false;
            for (const auto table : transaction.messages[i].tables) describe(table);
            const auto step = apply(transaction.messages[i].bytes);
            const bool last = i + 1 == transaction.messages.size();
            const bool done = std::holds_alternative<replicator::TransactionDone>(step);
            if (done != (last && !skipped)) throw std::runtime_error{"a commit is misunderstood"};
        }
        return true;
    }

    /// The server describes a table before its first row, and again when it feels like it.
    void describe(std::size_t table) {
        const bool fresh = described_.insert(table).second;
        if (!fresh && !one_in(random_, 20)) return;
        apply(describe_table(table));
        pipeline_->bind(relation_id(table), tables_.at(table));
    }

    replicator::Progress apply(const Bytes& message) {
        const auto outcome = pipeline_->apply(message);
        if (!outcome.ok()) {
            throw std::runtime_error{outcome.error().primary + ": " + outcome.error().detail};
        }
        return *outcome;
    }

    /// As Session::hand_over does; false when the process dies right after it.
    bool hand_over(bool continues) {
        auto batch = pipeline_->builder().take(continues);
        batch.last_commit_end = continues ? pgoutput::Lsn{} : built_end_;
        batch.position = std::max(target_.position(), continues ? pgoutput::Lsn{} : position_);
        batch.last_recorded_time = pipeline_->last_recorded_time();
        target_.write(batch);
        ++batches_;
        pipeline_->builder().recycle(std::move(batch));
        constexpr std::size_t crashes_max = 8;
        if (crashes_ >= crashes_max || !chance(options_.crash_after_batch)) return true;
        target_.crash();
        return false;
    }

    static std::vector<std::shared_ptr<const history_writer::HistoryTable>> make_tables() {
        std::vector<std::shared_ptr<const history_writer::HistoryTable>> tables;
        for (std::size_t i = 0; i < story_tables().size(); ++i) tables.push_back(history_table(i));
        return tables;
    }

    const Story& story_;
    RunOptions options_;
    Random& random_;
    MemoryTarget target_;
    std::vector<std::shared_ptr<const history_writer::HistoryTable>> tables_{make_tables()};
    std::optional<replicator::StreamPipeline> pipeline_;
    std::set<std::size_t> described_;
    pgoutput::Lsn position_;
    pgoutput::Lsn built_end_;
    std::size_t batches_{0};
    std::size_t crashes_{0};
};

/// What one history has and the other has not; empty when they are equal.
inline std::string
difference(const MemoryTarget::Tables& found, const MemoryTarget::Tables& wanted) {
    std::ostringstream out;
    for (const auto& spec : story_tables()) {
        const auto sorted = [&](const MemoryTarget::Tables& tables) {
            const auto at = tables.find(spec.name);
            auto versions = at == tables.end() ? ModelTable{} : at->second;
            std::sort(versions.begin(), versions.end());
            return versions;
        };
        const auto have = sorted(found);
        const auto want = sorted(wanted);
        ModelTable extra;
        ModelTable missing;
        std::set_difference(
            have.begin(), have.end(), want.begin(), want.end(), std::back_inserter(extra)
        );
        std::set_difference(
            want.begin(), want.end(), have.begin(), have.end(), std::back_inserter(missing)
        );
        for (const auto& version : missing) out << spec.name << ": missing " << version << '\n';
        for (const auto& version : extra) out << spec.name << ": not wanted " << version << '\n';
    }
    return out.str();
}

/// PGCHRONICLE_SEED where it is set, else a new one; printed either way.
inline std::uint64_t property_seed() {
    static const std::uint64_t seed = [] {
        const char* given = std::getenv("PGCHRONICLE_SEED");
        const auto value =
            given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
        std::cout << "PGCHRONICLE_SEED=" << value << '\n';
        return value;
    }();
    return seed;
}

inline constexpr int property_cases = 400;

/// Runs one story; what was wrong with it, or nothing. `seed` alone decides about everything, so
/// that PGCHRONICLE_SEED=<seed> makes it the first case of the next run.
inline std::string run_story(std::uint64_t seed, RunOptions options, std::size_t& disturbances) {
    Random random{seed};
    const auto form =
        one_in(random, 2) ? history_writer::WireForm::text : history_writer::WireForm::binary;
    const Story story{random, form};
    std::string wrong;
    try {
        const StreamRun run{story, options, random};
        disturbances += run.batches() - 1 + run.crashes();
        wrong = difference(run.target().tables(), story.model().history());
    } catch (const std::exception& error) {
        wrong = error.what();
    }
    if (wrong.empty()) return wrong;
    return "PGCHRONICLE_SEED=" + std::to_string(seed) + "\n" + wrong;
}

}  // namespace pgchronicle::test
