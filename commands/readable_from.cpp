#include "commands/readable_from.hpp"

#include "commands/probe_slot.hpp"
#include "replicator/slot_commands.hpp"
#include "source_catalog/catalog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace pgchronicle::commands {
namespace {

using pgoutput::Lsn;
using replicator::SlotProbe;

/// A temporary copy of a slot; dropped with it, or with the session at the latest, and by any
/// error in the session before that.
class SlotCopy {
public:
    SlotCopy(pq::Connection& source, const std::string& original, unsigned number)
        : source_{&source},
          name_{fmt::format("pgchronicle_probe_{}_{}", source.backend_pid(), number)} {
        source.exec(
            "SELECT pg_catalog.pg_copy_logical_replication_slot($1, $2, true)", {original, name_}
        );
    }
    ~SlotCopy() { drop(); }
    SlotCopy(const SlotCopy&) = delete;
    SlotCopy& operator=(const SlotCopy&) = delete;
    SlotCopy(SlotCopy&& other) noexcept
        : source_{std::exchange(other.source_, nullptr)}, name_{std::move(other.name_)} {}
    SlotCopy& operator=(SlotCopy&& other) noexcept {
        std::swap(source_, other.source_);
        std::swap(name_, other.name_);
        return *this;
    }

    [[nodiscard]] const std::string& name() const { return name_; }

private:
    void drop() noexcept {
        if (source_ == nullptr || !source_->ok()) return;
        try {
            source_->exec(
                "SELECT pg_catalog.pg_drop_replication_slot(slot_name)"
                " FROM pg_catalog.pg_replication_slots WHERE slot_name = $1",
                {name_}
            );
        } catch (const pq::Error&) {
            return;  // It ends with the session.
        }
    }

    pq::Connection* source_;
    std::string name_;
};

/// The end of the WAL record that `position` lies in: where the last transaction that is passed
/// ends. Consuming changes up to a position confirms the whole record, unlike advancing to it.
Lsn record_end(
    pq::Connection& source,
    const std::string& slot,
    std::span<const std::string> publications,
    Lsn position
) {
    const SlotCopy copy{source, slot, 0};
    advance_slot(source, copy.name(), position);
    source.exec(
        "SELECT count(*) FROM pg_catalog.pg_logical_slot_get_binary_changes($1, $2::pg_lsn, NULL,"
        " 'proto_version', '1', 'publication_names', $3)",
        {copy.name(), to_string(position), replicator::publication_names(publications)}
    );
    const auto moved = source_catalog::read_slot(source, copy.name());
    return moved ? std::max(position, moved->confirmed_flush_lsn) : position;
}

Lsn middle(Lsn low, Lsn high) {
    return Lsn{low.value + (high.value - low.value) / 2};
}

}  // namespace

void advance_slot(pq::Connection& source, const std::string& slot, Lsn position) {
    source.exec(
        "SELECT pg_catalog.pg_replication_slot_advance($1, $2::pg_lsn)", {slot, to_string(position)}
    );
}

Lsn readable_from(
    Sessions sessions,
    const std::string& slot,
    std::span<const std::string> publications,
    UnreadableRange range
) {
    unsigned number = 0;
    // The last copy that could not be read stands nearest to the answer, so that copies of it
    // have the least WAL to go through.
    std::optional<SlotCopy> nearest;
    while (range.upto.value - range.from.value > 1) {
        const Lsn position = middle(range.from, range.upto);
        ++number;
        SlotCopy kept{sessions.keeper, nearest ? nearest->name() : slot, number};
        advance_slot(sessions.keeper, kept.name(), position);
        const SlotCopy tried{sessions.prober, kept.name(), number};
        const auto probe = probe_slot(
            sessions.prober,
            tried.name(),
            publications,
            {.upto = range.upto, .time_limit = std::chrono::milliseconds{0}}
        );
        if (probe == SlotProbe::publication_unknown) {
            range.from = position;
            nearest = std::move(kept);
        } else {
            range.upto = position;
        }
    }
    return record_end(sessions.keeper, slot, publications, range.upto);
}

bool is_readable_from(
    pq::Connection& source,
    const std::string& slot,
    std::span<const std::string> publications,
    Lsn position
) {
    const SlotCopy copy{source, slot, 0};
    advance_slot(source, copy.name(), position);
    const auto probe = probe_slot(
        source,
        copy.name(),
        publications,
        {.upto = std::nullopt, .time_limit = std::chrono::milliseconds{0}}
    );
    return probe != SlotProbe::publication_unknown;
}

}  // namespace pgchronicle::commands
