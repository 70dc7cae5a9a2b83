#pragma once

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace pgchronicle::http {

struct Header {
    std::string name;
    std::string value;

    friend bool operator==(const Header&, const Header&) = default;
};

/// A request that is not answered with what it asks for. Every error has the same fields, in
/// PostgreSQL's grammar, and a code that stays the same between versions.
struct Refusal : std::runtime_error {
    struct Fields {
        unsigned status{400};
        std::string code{};  ///< bad_request, not_found, unavailable, ...
        std::string message{};
        std::string detail{};
        std::string hint{};
        std::vector<Header> headers{};
    };

    explicit Refusal(Fields given) : std::runtime_error{given.message}, fields{std::move(given)} {}

    Fields fields;
};

[[nodiscard]] Refusal bad_request(std::string message, std::string detail = {});
[[nodiscard]] Refusal not_found(std::string message);
/// 503: the same request may be answered later.
[[nodiscard]] Refusal
unavailable(std::string code, std::string message, std::string detail = {}, std::string hint = {});

/// What an exception amounts to: a Refusal itself, reading::Error, pq::Error. What is of no
/// business to a client, as the address of a server that does not answer, is left out; `told` says
/// it for the log.
struct Explained {
    Refusal refusal;
    std::string told;  ///< Empty: nothing more than the refusal says.
};
[[nodiscard]] Explained explain(const std::exception_ptr& failure);

/// {"error": {"message": ..., "detail": ..., "hint": ..., "code": ...}}
[[nodiscard]] std::string error_json(const Refusal& refusal);

}  // namespace pgchronicle::http
