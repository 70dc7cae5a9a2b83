#include "files/error.hpp"

#include <system_error>

namespace pgchronicle::files {

Error system_error(const std::string& what, int error_number) {
    return Error{
        {.fault = Fault::not_ready,
         .primary = what + ": " + std::generic_category().message(error_number)}};
}

}  // namespace pgchronicle::files
