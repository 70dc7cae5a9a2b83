#include "commands/refusal.hpp"

#include <ostream>

namespace pgchronicle::commands {

int report(const Refusal& refusal, std::ostream& err) {
    err << "pgchronicle: error: " << refusal.primary << '\n';
    if (!refusal.detail.empty()) err << "DETAIL:  " << refusal.detail << '\n';
    if (!refusal.hint.empty()) err << "HINT:  " << refusal.hint << '\n';
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
    if (!error.context().empty()) err << "CONTEXT:  " << error.context() << '\n';
    return final ? exit_needs_operator : exit_try_again;
}

}  // namespace pgchronicle::commands
