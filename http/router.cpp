#include "http/router.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <utility>

namespace pgchronicle::http {

namespace {

bool is_name(const std::string& segment) {
    return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

std::vector<std::string> split(const std::string& path) {
    std::vector<std::string> segments;
    std::size_t from = 1;
    while (from < path.size()) {
        const auto end = std::min(path.find('/', from), path.size());
        segments.push_back(path.substr(from, end - from));
        from = end + 1;
    }
    return segments;
}

/// Whether one path could be meant by both.
bool same(const std::vector<std::string>& one, const std::vector<std::string>& other) {
    if (one.size() != other.size()) return false;
    for (std::size_t i = 0; i < one.size(); ++i) {
        if (is_name(one[i]) != is_name(other[i])) return false;
        if (!is_name(one[i]) && one[i] != other[i]) return false;
    }
    return true;
}

}  // namespace

void Router::add(Route route) {
    auto segments = split(route.path);
    for (std::size_t i = 0; i < routes_.size(); ++i) {
        if (!same(segments_[i], segments)) continue;
        throw std::invalid_argument{
            "path " + route.path + " of \"" + route.name + "\" is taken by \"" + routes_[i].name +
            "\""};
    }
    routes_.push_back(std::move(route));
    segments_.push_back(std::move(segments));
}

std::optional<Router::Match> Router::find(const std::vector<std::string>& path) const {
    std::optional<Match> best;
    for (std::size_t i = 0; i < routes_.size(); ++i) {
        const auto& segments = segments_[i];
        if (segments.size() != path.size()) continue;
        Match match{&routes_[i], {}};
        bool fits = true;
        for (std::size_t at = 0; fits && at < path.size(); ++at) {
            if (is_name(segments[at])) {
                fits = !path[at].empty();
                match.captured.push_back(path[at]);
            } else {
                fits = segments[at] == path[at];
            }
        }
        if (fits && (!best || match.captured.size() < best->captured.size())) best = match;
    }
    return best;
}

}  // namespace pgchronicle::http
