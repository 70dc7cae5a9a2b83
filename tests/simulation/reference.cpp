#include "tests/simulation/reference.hpp"

#include "tests/property/stream_run.hpp"

#include <algorithm>
#include <vector>

namespace pgchronicle::simulation {

namespace {

using test::MemoryTarget;
using test::ModelTable;
using test::ModelVersion;

std::vector<const ModelVersion*> sorted(const MemoryTarget::Tables& tables, const char* name) {
    std::vector<const ModelVersion*> versions;
    const auto found = tables.find(name);
    if (found == tables.end()) return versions;
    for (const auto& version : found->second) versions.push_back(&version);
    std::sort(versions.begin(), versions.end(), [](const auto* a, const auto* b) {
        return *a < *b;
    });
    return versions;
}

bool same(const MemoryTarget::Tables& found, const MemoryTarget::Tables& wanted) {
    const auto& specs = test::story_tables();
    return std::all_of(specs.begin(), specs.end(), [&](const auto& spec) {
        const auto have = sorted(found, spec.name.c_str());
        const auto want = sorted(wanted, spec.name.c_str());
        return std::equal(
            have.begin(),
            have.end(),
            want.begin(),
            want.end(),
            [](const auto* a, const auto* b) { return *a == *b; }
        );
    });
}

}  // namespace

std::size_t Reference::transactions_at(pgoutput::Lsn position) const {
    const auto& all = story_.transactions();
    const auto end = std::upper_bound(
        all.begin(),
        all.end(),
        position,
        [](pgoutput::Lsn at, const auto& transaction) { return at < transaction.end_lsn; }
    );
    return static_cast<std::size_t>(end - all.begin());
}

std::size_t Reference::transactions_before(pgoutput::Lsn position) const {
    const auto& all = story_.transactions();
    const auto end = std::partition_point(all.begin(), all.end(), [&](const auto& transaction) {
        return transaction.commit_lsn < position;
    });
    return static_cast<std::size_t>(end - all.begin());
}

void Reference::advance_to(std::size_t transactions) {
    if (transactions < told_) {
        // The target has lost what was not on its disk.
        model_ = {};
        told_ = 0;
    }
    for (; told_ < transactions; ++told_) {
        const auto& transaction = story_.transactions()[told_];
        model_.begin(transaction.end_lsn, transaction.commit_time);
        for (const auto& change : transaction.changes) change(model_);
        model_.commit();
    }
}

void Reference::check(const MemoryTarget::State& state, pgoutput::Lsn source_wal) {
    const auto& all = story_.transactions();
    const auto stored = transactions_at(state.position);
    const auto at = "at position " + std::to_string(state.position.value) + ": ";
    if (state.position > source_wal) world_.fail(at + "the source has not written that");
    if (stored < all.size() && all[stored].commit_lsn < state.position) {
        world_.fail(at + "it is inside of a commit record, whose transaction would be skipped");
    }
    if (stored > 0 && state.last_commit_end != all[stored - 1].end_lsn) {
        world_.fail(at + "last_commit_end is " + std::to_string(state.last_commit_end.value));
    }
    advance_to(stored);
    if (same(*state.tables, model_.history())) return;
    world_.fail(at + "the history is another one\n" + difference(*state.tables, model_.history()));
}

}  // namespace pgchronicle::simulation
