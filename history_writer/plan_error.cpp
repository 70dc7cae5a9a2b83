#include "history_writer/plan_error.hpp"

namespace pgchronicle::history_writer {

namespace {

const char* text_of(PlanErrc code) {
    switch (code) {
    case PlanErrc::unchanged_toast_without_row:
        return "a value was not sent and no row holds it";
    case PlanErrc::key_not_sent:
        return "a row was changed whose key was not sent";
    case PlanErrc::key_already_open:
        return "a row was inserted whose key is open already";
    case PlanErrc::unknown_key:
        return "a row was changed whose key was ended before";
    case PlanErrc::missing_old_tuple:
        return "a row without a key was changed and its old values were not sent";
    case PlanErrc::form_mismatch:
        return "a value was sent in the other form than the stream's";
    }
    return "";
}

}  // namespace

std::string to_string(const PlanError& error) {
    return std::string{text_of(error.code)} + ": table \"" + error.table + "\", change " +
           std::to_string(error.change_seq) + " of its transaction";
}

}  // namespace pgchronicle::history_writer
