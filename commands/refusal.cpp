#include "commands/refusal.hpp"

#include "commands/aligned_table.hpp"

#include <ostream>

namespace pgchronicle::commands {
namespace {

int exit_code_of(reading::ErrorKind kind) {
    switch (kind) {
    case reading::ErrorKind::not_found:
    case reading::ErrorKind::ambiguous:
    case reading::ErrorKind::bad_request:
        return exit_usage;
    case reading::ErrorKind::too_early:
    case reading::ErrorKind::too_late:
    case reading::ErrorKind::too_large:
        return exit_check_failed;
    case reading::ErrorKind::not_ready:
        return exit_try_again;
    }
    return exit_needs_operator;
}

}  // namespace

int report(const Refusal& refusal, std::ostream& err) {
    // A server's text may hold names that somebody else has chosen: none begins a line of its own.
    err << "pgchronicle: error: " << one_line(refusal.primary) << '\n';
    if (!refusal.detail.empty()) err << "DETAIL:  " << one_line(refusal.detail) << '\n';
    if (!refusal.hint.empty()) err << "HINT:  " << one_line(refusal.hint) << '\n';
    return refusal.exit_code;
}

int report(const pq::Error& error, std::ostream& err) {
    const bool final = error.disposition() == pq::Disposition::halt;
    report(
        Refusal{
            .primary = error.primary(),
            .detail = error.detail(),
            .hint = error.hint(),
        },
        err
    );
    if (!error.context().empty()) err << "CONTEXT:  " << one_line(error.context()) << '\n';
    return final ? exit_needs_operator : exit_try_again;
}

int report(const reading::Error& error, std::ostream& err) {
    return report(
        Refusal{
            .exit_code = exit_code_of(error.kind),
            .primary = error.primary,
            .detail = error.detail,
            .hint = error.hint,
        },
        err
    );
}

}  // namespace pgchronicle::commands
