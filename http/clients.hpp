#pragma once

#include "http/metrics.hpp"

#include <cstddef>
#include <map>
#include <memory>

namespace pgchronicle::http {

/// Somebody who is connected.
class Client : public std::enable_shared_from_this<Client> {
public:
    Client() = default;
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    virtual ~Client() = default;

    /// Ends after the answer in hand.
    virtual void drain() = 0;
    /// Ends now.
    virtual void cut() = 0;
};

/// All who are connected. Thread: the server's.
class Clients {
public:
    Clients(std::size_t count_max, Metrics& metrics) : count_max_{count_max}, metrics_{metrics} {}

    [[nodiscard]] bool full() const { return clients_.size() >= count_max_; }
    [[nodiscard]] std::size_t count() const { return clients_.size(); }

    void add(const std::shared_ptr<Client>& client) {
        clients_[client.get()] = client;
        metrics_.clients(clients_.size());
    }
    /// Of those, how many follow changes.
    [[nodiscard]] std::size_t followers() const { return followers_; }
    void add_follower(int change) {
        followers_ += static_cast<std::size_t>(change);
        metrics_.followers(followers_);
    }
    void remove(const Client* client) {
        clients_.erase(client);
        metrics_.clients(clients_.size());
    }
    /// Calls `act` with each; it may remove clients.
    template <typename Act>
    void for_each(Act act) {
        const auto all = clients_;
        for (const auto& [_, weak] : all) {
            if (const auto client = weak.lock()) act(*client);
        }
    }

private:
    std::size_t count_max_;
    std::size_t followers_{0};
    Metrics& metrics_;
    std::map<const Client*, std::weak_ptr<Client>> clients_;
};

}  // namespace pgchronicle::http
