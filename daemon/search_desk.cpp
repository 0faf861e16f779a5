// SPDX-License-Identifier: Apache-2.0
#include "daemon/search_desk.h"

#include <algorithm>
#include <chrono>
#include <tuple>

#include "proto/base/assert.h"
#include "proto/base/ids.h"
#include "proto/wire/limits.h"

namespace meshd {

using ipc::Error;
using ipc::ErrorCode;

namespace {

constexpr std::int64_t kRetryMs = 100;

/// The node's own deadline is what counts: an answer after it is none. The margin is for a busy
/// loop.
Duration responders_time(Duration timeout) {
    return timeout - std::clamp<Duration>(timeout / 10, std::chrono::milliseconds(2),
                                          std::chrono::milliseconds(50));
}

std::string print_request(const SearchRequested& request, Duration time) {
    std::string text;
    json::Writer(text)
        .begin_object()
        .member("search", print_hex(request.ticket.value))
        .member("search_type", request.type)
        .member_raw("query", request.query)
        .member("source", request.source.text())
        .member("timeout_ms", std::max<std::int64_t>(to_ms(time), 0))
        .member("limit", request.limit)
        .end_object();
    return text;
}

Error overloaded(std::string message) {
    Error error;
    error.code = ErrorCode::Overloaded;
    error.message = std::move(message);
    error.retry_after_ms = kRetryMs;
    return error;
}

std::string element(std::size_t index) {
    return "results[" + std::to_string(index) + "]";
}

std::optional<Error> check_results(const json::Value& results) {
    std::size_t index = 0;
    for (const json::Value result : results) {
        if (!result.is_object()) {
            return ipc::invalid_param(element(index), result, "object");
        }
        if (const json::Value score = result["score"]; score.exists() && !score.is_null()) {
            const auto number = score.as_double();
            if (!number || *number < 0 || *number > 1) {
                return ipc::invalid_param(element(index) + ".score", score, "number 0 to 1");
            }
        }
        ++index;
    }
    // What one responder nests too deep must not spoil the answer of all.
    const bool fits =
        json::Document::parse(results.print(), {limits::kPayloadBytesMax, limits::kPayloadDepthMax,
                                                limits::kMessageJson.values_max})
            .has_value();
    if (!fits) {
        Error error = ipc::invalid_param("results", results,
                                         "at most " + std::to_string(limits::kPayloadBytesMax) +
                                             " bytes and " +
                                             std::to_string(limits::kPayloadDepthMax) + " levels");
        error.code = ErrorCode::AnswerTooLarge;
        return error;
    }
    return std::nullopt;
}

Error unknown_search() {
    Error error;
    error.code = ErrorCode::UnknownSearch;
    error.field = "search";
    error.message = "no such search waits for an answer of this connection (any more)";
    return error;
}

}  // namespace

tl::expected<void, Error> SearchDesk::serve(ClientId client, std::uint32_t user, Types types) {
    const auto known = responders_.find(client);
    if (!types.empty() && !is_serving(client)) {
        std::size_t of_user = 0;
        std::size_t all = 0;
        for (const auto& [id, responder] : responders_) {
            all += responder.types.empty() ? 0 : 1;
            of_user += responder.types.empty() || responder.user != user ? 0 : 1;
        }
        if (all >= kRespondersMax || of_user >= kRespondersPerUserMax) {
            return tl::unexpected(
                overloaded("no more than " + std::to_string(kRespondersMax) +
                           " connections may serve searches, of one user no more than " +
                           std::to_string(kRespondersPerUserMax)));
        }
    }
    if (known == responders_.end() && types.empty()) {
        return {};
    }
    Responder& responder = responders_[client];
    responder.user = user;
    responder.types = std::move(types);
    responder.silences = 0;
    responder.paused_until.reset();
    tell_types();
    return {};
}

bool SearchDesk::is_serving(ClientId client) const {
    const auto found = responders_.find(client);
    return found != responders_.end() && !found->second.types.empty();
}

void SearchDesk::tell_types() {
    Types types;
    for (const auto& [client, responder] : responders_) {
        types.insert(responder.types.begin(), responder.types.end());
    }
    if (types != types_) {
        types_ = std::move(types);
        callbacks_.on_types(types_);
    }
}

void SearchDesk::remove_client(ClientId client) {
    const auto found = responders_.find(client);
    if (found == responders_.end()) {
        return;
    }
    const bool has_open = found->second.open > 0;
    responders_.erase(found);
    for (auto it = open_.begin(); has_open && it != open_.end();) {
        const auto next = std::next(it);
        if (it->second.waiting.erase(client) > 0) {
            ++it->second.silent;
            if (it->second.waiting.empty()) {
                finish(it);
            }
        }
        it = next;
    }
    tell_types();
}

bool SearchDesk::may_ask(TimePoint now, const Responder& responder) const {
    return responder.open < kOpenPerClientMax &&
           (!responder.paused_until || now >= *responder.paused_until);
}

void SearchDesk::on_request(TimePoint now, const SearchRequested& request) {
    const Duration time = responders_time(request.timeout);
    const std::string data = print_request(request, time);
    const auto [it, is_new] = open_.try_emplace(request.ticket);
    MESHD_ASSERT(is_new);
    Open& open = it->second;
    open.asked = now;
    open.deadline = now + time;
    open.limit = request.limit;
    deadlines_.emplace(open.deadline, request.ticket);
    for (auto& [client, responder] : responders_) {
        if (responder.types.count(request.type) == 0) {
            continue;
        }
        // One that does not even read is not asked either.
        if (may_ask(now, responder) && callbacks_.ask(client, data)) {
            ++asked_count_;
            ++responder.open;
            open.waiting.insert(client);
        } else {
            ++skipped_count_;
            ++open.skipped;
        }
    }
    if (open.waiting.empty()) {
        finish(it);
    }
}

tl::expected<SearchDesk::Accepted, Error> SearchDesk::answer(ClientId client, SearchTicket ticket,
                                                             const json::Value& results) {
    const auto it = open_.find(ticket);
    if (it == open_.end() || it->second.waiting.count(client) == 0) {
        return tl::unexpected(unknown_search());
    }
    if (auto error = check_results(results)) {
        return tl::unexpected(std::move(*error));
    }
    Open& open = it->second;
    Responder& responder = responders_.at(client);
    std::vector<Result> taken;
    std::size_t bytes = 0;
    for (const json::Value result : results) {
        taken.push_back({result["score"].as_double(), taken.size(), client, result.print()});
    }
    std::stable_sort(taken.begin(), taken.end(),
                     [](const Result& a, const Result& b) { return a.score > b.score; });
    const bool is_truncated = taken.size() > open.limit;
    taken.resize(std::min<std::size_t>(taken.size(), open.limit));
    for (const Result& result : taken) {
        bytes += result.text.size();
    }
    if (responder.held + bytes > kHeldPerClientMax || held_ + bytes > kHeldMax) {
        ++refused_count_;
        return tl::unexpected(overloaded("too many answers wait for those of other responders"));
    }
    responder.held += bytes;
    held_ += bytes;
    responder.silences = 0;
    responder.paused_until.reset();
    --responder.open;
    open.waiting.erase(client);
    open.is_truncated = open.is_truncated || is_truncated;
    const Accepted accepted{taken.size(), is_truncated};
    std::move(taken.begin(), taken.end(), std::back_inserter(open.results));
    if (open.waiting.empty()) {
        finish(it);
    }
    return accepted;
}

void SearchDesk::count_silence(TimePoint now, const Open& open, Responder& responder) {
    --responder.open;
    ++silent_count_;
    const bool is_counted = open.deadline - open.asked >= kFairTime &&
                            (responder.silences == 0 || open.asked >= responder.last_silence);
    if (!is_counted) {
        return;
    }
    responder.last_silence = now;
    if (++responder.silences >= kSilencesMax) {
        responder.paused_until = now + kPause;
        // After the pause one more silence is enough.
        responder.silences = kSilencesMax - 1;
    }
}

void SearchDesk::on_timeout(TimePoint now) {
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        const auto it = open_.find(deadlines_.begin()->second);
        Open& open = it->second;
        open.silent += static_cast<std::uint32_t>(open.waiting.size());
        for (const ClientId client : open.waiting) {
            count_silence(now, open, responders_.at(client));
        }
        finish(it);
    }
}

void SearchDesk::finish(OpenMap::iterator it) {
    Open open = std::move(it->second);
    const SearchTicket ticket = it->first;
    deadlines_.erase({open.deadline, ticket});
    open_.erase(it);
    for (const Result& result : open.results) {
        held_ -= result.text.size();
        // It may be gone; what it had answered stays.
        if (const auto responder = responders_.find(result.client);
            responder != responders_.end()) {
            responder->second.held -= result.text.size();
        }
    }
    // Best first; without scores each responder's first, then each one's second: the answer has
    // room for something of all.
    std::sort(open.results.begin(), open.results.end(), [](const Result& a, const Result& b) {
        return std::tie(b.score, a.rank, a.client) < std::tie(a.score, b.rank, b.client);
    });
    AnswerSearch answer;
    answer.ticket = ticket;
    answer.silent = open.silent;
    answer.skipped = open.skipped;
    answer.is_truncated = open.is_truncated || open.results.size() > open.limit;
    answer.results = "[";
    std::size_t count = 0;
    for (const Result& result : open.results) {
        if (count == open.limit) {
            break;
        }
        if (answer.results.size() + result.text.size() + 2 > limits::kPayloadBytesMax) {
            answer.is_truncated = true;
            break;
        }
        answer.results += count++ == 0 ? "" : ",";
        answer.results += result.text;
    }
    answer.results += "]";
    callbacks_.answer(std::move(answer));
}

std::optional<TimePoint> SearchDesk::next_deadline() const {
    return deadlines_.empty() ? std::nullopt : std::optional(deadlines_.begin()->first);
}

std::vector<std::string> SearchDesk::warnings(TimePoint now) const {
    std::vector<std::string> all;
    for (const auto& [client, responder] : responders_) {
        if (!responder.paused_until || now >= *responder.paused_until) {
            continue;
        }
        std::string types;
        for (const std::string& type : responder.types) {
            types += (types.empty() ? "" : ", ") + type;
        }
        all.push_back("a local process of user " + std::to_string(responder.user) +
                      " does not answer the searches it serves (" + types +
                      "): it is skipped for " + std::to_string(to_ms(kPause) / 1000) +
                      " s, or until it calls search.serve");
    }
    return all;
}

std::vector<std::pair<std::string_view, std::uint64_t>> SearchDesk::counters() const {
    return {{"responders_asked", asked_count_},
            {"responders_silent", silent_count_},
            {"responders_skipped", skipped_count_},
            {"responders_refused", refused_count_}};
}

}  // namespace meshd
