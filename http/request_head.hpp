#pragma once

#include "http/refusal.hpp"
#include "http/request.hpp"

#include <boost/beast/core/error.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <cstdint>
#include <optional>

// The head of a request, as Beast has parsed it, judged and taken apart. No I/O.

namespace pgchronicle::http {

using RequestParser = boost::beast::http::request_parser<boost::beast::http::empty_body>;

/// Longest head that is read, in bytes.
inline constexpr std::uint32_t head_bytes_max = 16U << 10U;

/// Before the first byte: a head of bounded length, and no body.
void set_limits(RequestParser& parser);

/// What is told to a client whose request Beast could not read.
[[nodiscard]] Refusal refusal_of(const boost::beast::error_code& error);

/// Why the request cannot be taken, if so; its connection ends with that, so that nothing that
/// follows is taken for a request.
[[nodiscard]] std::optional<Refusal> objection_to(const RequestParser& parser);

/// Throws Refusal for a target that is none.
[[nodiscard]] Request to_request(const RequestParser& parser);

}  // namespace pgchronicle::http
