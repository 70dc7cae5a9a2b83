#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace pgchronicle::config {

/// One thing that is wrong with a configuration, in PostgreSQL's grammar. Never holds a secret.
struct Problem {
    std::string file;
    int line{0};          ///< From 1; 0 where no line applies, as for a missing file.
    std::string key;      ///< Path such as `source.slot`; empty where no key applies.
    std::string message;  ///< Lower case, no full stop.
    std::string detail;   ///< Sentences, may be empty; so is `hint`.
    std::string hint;

    friend bool operator==(const Problem&, const Problem&) = default;
};

/// `pgchronicle.yaml:7: source.slott: unknown key`, then lines `DETAIL:  ` and `HINT:  ` if any.
[[nodiscard]] std::string to_string(const Problem& problem);

/// A value as messages show it: quoted, shortened, without control characters.
[[nodiscard]] std::string quoted(std::string_view text);

/// A configuration that cannot be used: every problem found, in the order of the file.
class ConfigError : public std::runtime_error {
public:
    explicit ConfigError(std::vector<Problem> problems);

    [[nodiscard]] const std::vector<Problem>& problems() const { return problems_; }

private:
    std::vector<Problem> problems_;
};

}  // namespace pgchronicle::config
