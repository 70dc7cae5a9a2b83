#include "pgoutput/sequence_error.hpp"

namespace pgchronicle::pgoutput {

std::string_view name_of(SequenceErrc code) {
    switch (code) {
    case SequenceErrc::begin_inside_transaction:
        return "begin_inside_transaction";
    case SequenceErrc::outside_transaction:
        return "outside_transaction";
    case SequenceErrc::misplaced_origin:
        return "misplaced_origin";
    case SequenceErrc::commit_differs_from_begin:
        return "commit_differs_from_begin";
    case SequenceErrc::commit_ends_before_start:
        return "commit_ends_before_start";
    case SequenceErrc::position_went_back:
        return "position_went_back";
    case SequenceErrc::start_inside_commit:
        return "start_inside_commit";
    case SequenceErrc::unexpected_stream:
        return "unexpected_stream";
    case SequenceErrc::unexpected_prepare:
        return "unexpected_prepare";
    case SequenceErrc::unknown_relation:
        return "unknown_relation";
    case SequenceErrc::column_count_mismatch:
        return "column_count_mismatch";
    case SequenceErrc::value_not_sent:
        return "value_not_sent";
    case SequenceErrc::key_not_sent:
        return "key_not_sent";
    }
    return "unknown_error";
}

std::string to_string(const SequenceError& error) {
    return error.primary + "\nCONTEXT:  " + error.context;
}

}  // namespace pgchronicle::pgoutput
