#pragma once

#include "http/refusal.hpp"
#include "pgoutput/lsn.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgchronicle::http {

inline constexpr std::string_view json_type = "application/json";

/// What goes back to a client, but for what every answer has.
struct Answer {
    unsigned status{200};
    std::string type{json_type};
    std::string body{};
    std::vector<Header> headers{};
    std::string tag{};                   ///< ETag with its quotes; empty: none.
    std::optional<pgoutput::Lsn> lsn{};  ///< The checkpoint's position that it was read at.
    bool gzipped{false};
};

/// Several clients may be given one answer.
using SharedAnswer = std::shared_ptr<const Answer>;

[[nodiscard]] Answer answer_of(const Refusal& refusal);

/// The tag for an answer: the LSN, what was asked for, and what is answered. An import changes the
/// history without the LSN moving, so that the LSN alone would promise too much.
[[nodiscard]] std::string tag_of(const Answer& answer, std::string_view asked);

/// The answer with its body compressed; as it is where that would not make it smaller.
[[nodiscard]] Answer gzipped(Answer answer);

}  // namespace pgchronicle::http
