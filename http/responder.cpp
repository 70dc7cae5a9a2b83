#include "http/responder.hpp"

#include "http/host.hpp"
#include "reading/checkpoint.hpp"

#include <boost/asio/post.hpp>

#include <chrono>
#include <utility>

namespace pgchronicle::http {

namespace {

namespace asio = boost::asio;

constexpr unsigned status_ok = 200;
constexpr unsigned status_no_content = 204;
constexpr unsigned status_not_modified = 304;
constexpr unsigned status_not_allowed = 405;

/// How long a request waits for the history to reach its min_lsn.
constexpr std::chrono::seconds min_lsn_patience{10};

constexpr const char* allowed_methods = "GET, HEAD, OPTIONS";

Refusal wrong_host() {
    constexpr unsigned status_misdirected = 421;
    return Refusal{
        {status_misdirected,
         "wrong_host",
         "the request is for another host",
         "Asked for may be an IP address, localhost, and what http.hosts lists.",
         "Behind a proxy that passes its name, list that in http.hosts.",
         {}}};
}

/// Everything that an answer depends on.
std::string key_of(const Request& request, const Route& route, bool gzip) {
    std::string key = route.path + (gzip ? "\ngzip" : "\n");
    for (const auto& text : request.captured) key += '\n' + percent_encode(text);
    for (const auto& [name, value] : request.query.items()) {
        key += '\n' + percent_encode(name) + '=' + percent_encode(value);
    }
    return key;
}

/// Reads in one snapshot with the checkpoint, so that an answer knows which LSN it is of.
Answer read(
    pq::Connection& target,
    const std::string& pipeline,
    const AnswerFromTarget& endpoint,
    const Request& request
) {
    target.exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const auto checkpoint = reading::read_checkpoint(target, pipeline);
    auto answer = endpoint(target, request);
    target.exec("COMMIT");
    if (checkpoint) {
        answer.lsn = checkpoint->position;
        answer.headers.push_back({"X-Pgchronicle-LSN", to_string(checkpoint->position)});
    }
    return answer;
}

}  // namespace

/// A request on its way.
struct Responder::Question {
    Request request;
    Reply reply;
    Clock::time_point asked_at;
    const Route* route{nullptr};
    bool gzip{false};
    std::optional<pgoutput::Lsn> least{};
    std::string key{};
};

Responder::Responder(Parts parts)
    : parts_{std::move(parts)}, cache_{parts_.cache}, watch_{parts_.io, [this] {
                                                                 ask_position();
                                                             }} {}

void Responder::answer(Request request, Reply reply, const Events& events) {
    auto question =
        std::make_shared<Question>(Question{std::move(request), std::move(reply), Clock::now()});
    try {
        route(question, events);
    } catch (...) {
        this->reply(*question, refuse(std::current_exception(), question->request.target));
    }
}

void Responder::route(const std::shared_ptr<Question>& question, const Events& events) {
    auto& request = question->request;
    if (request.host && !parts_.is_public() && !is_own_host(*request.host, parts_.hosts)) {
        throw wrong_host();
    }
    auto match = parts_.router.find(request.path);
    if (!match) throw not_found("there is nothing at this path");
    question->route = match->route;
    request.captured = std::move(match->captured);
    if (request.method == "OPTIONS") {
        Answer options;
        options.status = status_no_content;
        options.headers.push_back({"Allow", allowed_methods});
        reply(*question, std::make_shared<const Answer>(std::move(options)));
        return;
    }
    if (!request.is_read()) {
        throw Refusal{
            {status_not_allowed,
             "method_not_allowed",
             "the method is not allowed here",
             "Everything is read with GET.",
             {},
             {{"Allow", allowed_methods}}}};
    }
    question->gzip = accepts_gzip(request.accept_encoding);
    if (request.query.one("min_lsn")) take_least(*question);
    if (question->route->check) question->route->check(request);
    if (const auto* now = std::get_if<AnswerNow>(&question->route->answer)) {
        auto answer = (*now)(request);
        if (answer.tag.empty() && answer.status == status_ok) {
            answer.tag = tag_of(answer, question->gzip ? "gzip" : "");
        }
        if (question->gzip) answer = gzipped(std::move(answer));
        reply(*question, std::make_shared<const Answer>(std::move(answer)));
    } else if (std::holds_alternative<AnswerWithEvents>(question->route->answer)) {
        events(std::move(request));
    } else {
        question->key = key_of(request, *question->route, question->gzip);
        await_position(question);
    }
}

void Responder::take_least(Question& question) {
    const auto text = *question.request.query.one("min_lsn");
    question.least = pgoutput::parse_lsn(text);
    const bool reads = std::holds_alternative<AnswerFromTarget>(question.route->answer);
    if (!reads) return;  // It is not known there.
    if (!question.least) {
        throw bad_request(
            "invalid value \"" + text + "\" for parameter \"min_lsn\"",
            "An LSN looks like 16/B374D848."
        );
    }
    question.request.query = question.request.query.without("min_lsn");
}

void Responder::await_position(const std::shared_ptr<Question>& question) {
    if (!question->least) {
        look_up(question);
        return;
    }
    const auto reached = [least = *question->least](PositionWatch::Position position) {
        return position && *position >= least;
    };
    const auto deadline = question->asked_at + min_lsn_patience;
    if (Clock::now() >= deadline) {
        give_up(*question);
        return;
    }
    watch_.await(reached, deadline, [this, question](bool in_time) {
        if (in_time) {
            look_up(question);
        } else {
            give_up(*question);
        }
    });
}

void Responder::give_up(const Question& question) {
    const auto& known = watch_.position();
    const auto late = unavailable(
        "not_reached",
        "the history has not reached " + to_string(*question.least),
        known ? "It is at " + to_string(*known) + "." : "Where it is is not known."
    );
    reply(question, std::make_shared<const Answer>(answer_of(late)));
}

void Responder::look_up(const std::shared_ptr<Question>& question) {
    const auto known = cache_.find(question->key, Clock::now(), watch_.position(), question->least);
    if (known) {
        parts_.metrics.cache_hit();
        reply(*question, known);
        return;
    }
    const bool is_first = cache_.join(question->key, [this, question](const SharedAnswer& answer) {
        const auto& least = question->least;
        const bool old =
            least && answer->status == status_ok && (!answer->lsn || *answer->lsn < *least);
        // It was being read when this request came with what it had seen; or a replay has set the
        // history back.
        if (old) {
            await_position(question);
        } else {
            reply(*question, answer);
        }
    });
    if (is_first) ask_target(question);
}

void Responder::ask_target(const std::shared_ptr<Question>& question) {
    const auto settle = [this, key = question->key, began = Clock::now()](const SharedAnswer& answer
                        ) {
        if (answer->status == status_ok) watch_.note(answer->lsn, began);
        cache_.settle(key, answer, Clock::now());
    };
    auto job = [this, question, settle](pq::Connection& target) {
        const auto& endpoint = std::get<AnswerFromTarget>(question->route->answer);
        auto answer = read(target, parts_.pipeline, endpoint, question->request);
        answer.tag = tag_of(answer, question->key);
        if (question->gzip) answer = gzipped(std::move(answer));
        auto shared = std::make_shared<const Answer>(std::move(answer));
        asio::post(parts_.io, [settle, shared] { settle(shared); });
    };
    auto failed = [this, question, settle](const std::exception_ptr& failure) {
        const auto shared = refuse(failure, question->request.target);
        asio::post(parts_.io, [settle, shared] { settle(shared); });
    };
    if (parts_.readers.submit(std::move(job), std::move(failed))) return;
    settle(std::make_shared<const Answer>(
        answer_of(unavailable("busy", "too many requests wait for the target"))
    ));
}

void Responder::ask_position() {
    if (asking_position_) return;
    const auto note = [this, began = Clock::now()](const PositionWatch::Position& position) {
        asking_position_ = false;
        if (position) watch_.note(position, began);
    };
    auto job = [this, note](pq::Connection& target) {
        const auto checkpoint = reading::read_checkpoint(target, parts_.pipeline);
        PositionWatch::Position position;
        if (checkpoint) position = checkpoint->position;
        asio::post(parts_.io, [note, position] { note(position); });
    };
    auto failed = [this, note](const std::exception_ptr&) {
        asio::post(parts_.io, [note] { note(std::nullopt); });
    };
    asking_position_ = parts_.readers.submit(std::move(job), std::move(failed));
}

SharedAnswer Responder::refuse(const std::exception_ptr& failure, const std::string& target) {
    const auto explained = explain(failure);
    if (!explained.told.empty()) {
        parts_.log.warn(
            "http_failed",
            {{"target", target},
             {"status", explained.refusal.fields.status},
             {"message", explained.told}}
        );
    }
    return std::make_shared<const Answer>(answer_of(explained.refusal));
}

void Responder::reply(const Question& question, const SharedAnswer& answer) {
    const auto* name = question.route == nullptr ? "none" : question.route->name.c_str();
    const std::chrono::duration<double> took = Clock::now() - question.asked_at;
    const auto& match = question.request.if_none_match;
    if (answer->status == status_ok && !match.empty() && names_tag(match, answer->tag)) {
        Answer same;
        same.status = status_not_modified;
        same.tag = answer->tag;
        same.lsn = answer->lsn;
        parts_.metrics.answered(name, status_not_modified, took);
        question.reply(std::make_shared<const Answer>(std::move(same)));
        return;
    }
    parts_.metrics.answered(name, answer->status, took);
    question.reply(answer);
}

}  // namespace pgchronicle::http
