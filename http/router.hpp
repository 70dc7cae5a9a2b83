#pragma once

#include "http/answer.hpp"
#include "http/request.hpp"
#include "pq/connection.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pgchronicle::http {

/// What the documentation says of a parameter. Whether a value is right is judged by the endpoint.
struct ParameterDoc {
    std::string name;
    std::string description{};
    std::string type{"string"};  ///< Of JSON schema: string, integer, number, boolean.
    std::string format{};        ///< date, date-time; empty: none.
    bool required{false};
    bool repeated{false};
    std::vector<std::string> allowed{};
    std::optional<std::string> default_value{};
    std::optional<std::int64_t> min{};
    std::optional<std::int64_t> max{};
};

/// Answers from what is in memory, at once. Thread: the server's.
using AnswerNow = std::function<Answer(const Request&)>;

/// Answers from the target, in a read-only transaction that is open already. Thread: a reader's.
using AnswerFromTarget = std::function<Answer(pq::Connection&, const Request&)>;

/// Goes on for as long as the client does.
struct AnswerWithEvents {};

/// One endpoint.
struct Route {
    std::string path;  ///< /tables/{table}/history
    std::string name;  ///< Of the operation, for the documentation and for metrics.
    std::string summary;
    std::variant<AnswerNow, AnswerFromTarget, AnswerWithEvents> answer;
    /// Judges what can be judged without the target; throws what `explain` knows.
    std::function<void(const Request&)> check{};
    std::vector<ParameterDoc> parameters{};
    std::string type{json_type};
    std::string schema{};   ///< JSON schema of the body, as text; empty: anything.
    bool documented{true};  ///< The page and its parts are not.
    std::string group{"service"};
};

/// Which endpoint a path means.
class Router {
public:
    /// Throws std::invalid_argument where the path is taken, or means the same as another one.
    void add(Route route);

    struct Match {
        const Route* route{nullptr};
        std::vector<std::string> captured;
    };
    /// A literal segment wins over a {name}. Nothing where no endpoint has the path.
    [[nodiscard]] std::optional<Match> find(const std::vector<std::string>& path) const;

    [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

private:
    std::vector<Route> routes_;
    std::vector<std::vector<std::string>> segments_;  ///< Of each route.
};

}  // namespace pgchronicle::http
