#include "http/answer_cache.hpp"

#include <utility>

namespace pgchronicle::http {

namespace {

constexpr unsigned status_ok = 200;

std::size_t bytes_of(const std::string& key, const Answer& answer) {
    constexpr std::size_t overhead = 512;
    return overhead + 2 * key.size() + answer.body.size();
}

}  // namespace

SharedAnswer AnswerCache::find(
    const std::string& key,
    Clock::time_point now,
    std::optional<pgoutput::Lsn> position,
    std::optional<pgoutput::Lsn> least
) const {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    const auto& [_, answer, made_at] = *found->second;
    const auto age = now - made_at;
    if (age > limits_.time_max) return nullptr;
    // A position may also be set back, by a replay.
    const bool same = answer->lsn == position;
    if (!same && age > limits_.time_min) return nullptr;
    if (least && (!answer->lsn || *answer->lsn < *least)) return nullptr;
    return answer;
}

bool AnswerCache::join(const std::string& key, Waiting waiting) {
    const auto [place, is_first] = waiting_.try_emplace(key);
    place->second.push_back(std::move(waiting));
    return is_first;
}

void AnswerCache::settle(
    const std::string& key,
    const SharedAnswer& answer,
    Clock::time_point now
) {
    if (answer->status == status_ok && answer->lsn) keep(key, answer, now);
    const auto found = waiting_.find(key);
    if (found == waiting_.end()) return;
    // Whoever is told may ask again.
    const auto all = std::move(found->second);
    waiting_.erase(found);
    for (const auto& waiting : all) waiting(answer);
}

void AnswerCache::keep(const std::string& key, const SharedAnswer& answer, Clock::time_point now) {
    if (const auto old = by_key_.find(key); old != by_key_.end()) {
        bytes_ -= bytes_of(key, *old->second->answer);
        entries_.erase(old->second);
        by_key_.erase(old);
    }
    const auto bytes = bytes_of(key, *answer);
    if (limits_.time_max.count() == 0 || bytes > limits_.bytes_max / 2) return;
    while (!entries_.empty() &&
           (entries_.size() >= limits_.entries_max || bytes_ + bytes > limits_.bytes_max ||
            now - entries_.front().made_at > limits_.time_max)) {
        drop_oldest();
    }
    entries_.push_back({key, answer, now});
    by_key_[key] = std::prev(entries_.end());
    bytes_ += bytes;
}

void AnswerCache::drop_oldest() {
    const auto& oldest = entries_.front();
    bytes_ -= bytes_of(oldest.key, *oldest.answer);
    by_key_.erase(oldest.key);
    entries_.pop_front();
}

}  // namespace pgchronicle::http
