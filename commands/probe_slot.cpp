#include "commands/probe_slot.hpp"

#include "replicator/slot_commands.hpp"

#include <utility>

namespace pgchronicle::commands {
namespace {

constexpr std::string_view undefined_object = "42704";
constexpr std::string_view query_canceled = "57014";
constexpr std::string_view not_in_prerequisite_state = "55000";

/// statement_timeout for as long as it lives.
class TimeLimit {
public:
    TimeLimit(pq::Connection& connection, std::chrono::milliseconds limit)
        : connection_{connection} {
        connection_.exec("SET statement_timeout = " + std::to_string(limit.count()));
    }
    ~TimeLimit() {
        try {
            if (connection_.ok()) connection_.exec("SET statement_timeout = 0");
        } catch (const pq::Error&) {
            // The connection is of no use any more, and its next user meets the reason.
            return;
        }
    }
    TimeLimit(const TimeLimit&) = delete;
    TimeLimit& operator=(const TimeLimit&) = delete;

private:
    pq::Connection& connection_;
};

}  // namespace

replicator::SlotProbe probe_slot(
    pq::Connection& source,
    const std::string& slot,
    std::span<const std::string> publications,
    const ProbeOptions& options
) {
    using replicator::SlotProbe;
    bool skipped = false;
    source.on_notice([&skipped](std::string_view severity, std::string_view sqlstate, auto) {
        if (severity == "WARNING" && sqlstate == not_in_prerequisite_state) skipped = true;
    });
    const TimeLimit limit{source, options.time_limit};
    SlotProbe result = SlotProbe::readable;
    try {
        // The values stay on the server: one transaction can be of any size.
        source.exec(
            "SELECT count(*) FROM pg_catalog.pg_logical_slot_peek_binary_changes($1,"
            " nullif($2, '')::pg_lsn, 1, 'proto_version', '1', 'publication_names', $3)",
            {slot,
             options.upto ? to_string(*options.upto) : "",
             replicator::publication_names(publications)}
        );
    } catch (const pq::Error& error) {
        if (error.connection_lost()) throw;
        if (error.sqlstate() == undefined_object) {
            result = SlotProbe::publication_unknown;
        } else if (error.sqlstate() == query_canceled) {
            result = SlotProbe::undecided;
        } else {
            result = SlotProbe::not_tried;
        }
    }
    source.on_notice({});
    return skipped ? SlotProbe::publication_unknown : result;
}

}  // namespace pgchronicle::commands
