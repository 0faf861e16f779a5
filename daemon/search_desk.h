// SPDX-License-Identifier: Apache-2.0
/// \file
/// Local processes that answer searches (search.serve, search.answer): who is asked, who has
/// answered, and what all of them say together.
///
/// A responder that does not answer costs each asker the time it waits for it. So one that stayed
/// silent twice in a row is skipped for a while, and shown; it is asked again after that, and at
/// once where it calls search.serve anew. A silence counts only where the responder had a fair time
/// to answer, since the asker chooses how long that is, and once for all questions that it had at
/// the same time.
///
/// Invariants: each question is answered to the node exactly once, before the node's own deadline;
/// what one responder has open and what is held of its answers is bounded, so that a flooding one
/// takes no room from others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "ipc/error.h"
#include "proto/base/json.h"
#include "proto/base/time.h"
#include "proto/node.h"

namespace meshd {

class SearchDesk {
  public:
    using ClientId = std::uint64_t;
    using Types = std::set<std::string, std::less<>>;

    struct Callbacks {
        /// Tells a client a question, as data of an event `search.request`; false where its queue
        /// is full.
        std::function<bool(ClientId, const std::string& data)> ask;
        /// The types that somebody serves have changed.
        std::function<void(const Types&)> on_types;
        /// The answer to a question. Must not call back.
        std::function<void(AnswerSearch)> answer;
    };

    /// Clients that serve; one user's leave room for those of others.
    static constexpr std::size_t kRespondersMax = 256;
    static constexpr std::size_t kRespondersPerUserMax = 128;
    /// Questions that one client has not answered yet: it is skipped beyond.
    static constexpr std::size_t kOpenPerClientMax = 64;
    /// Bytes of answers to questions that wait for other responders, of one client and in all.
    static constexpr std::size_t kHeldPerClientMax = std::size_t{1} << 20;
    static constexpr std::size_t kHeldMax = std::size_t{16} << 20;
    static constexpr unsigned kSilencesMax = 2;
    static constexpr Duration kFairTime = std::chrono::milliseconds(250);
    /// A process that was restarted calls search.serve; one that hangs seldom recovers sooner.
    static constexpr Duration kPause = std::chrono::seconds(30);

    explicit SearchDesk(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}

    /// What the client serves from now on, instead of what it served before.
    tl::expected<void, ipc::Error> serve(ClientId client, std::uint32_t user, Types types);
    bool is_serving(ClientId client) const;
    void remove_client(ClientId client);

    void on_request(TimePoint now, const SearchRequested& request);

    struct Accepted {
        std::size_t results = 0;
        bool is_truncated = false;  ///< the rest was more than the asker wants
    };
    /// `results`: an array. After an error the client may answer again.
    tl::expected<Accepted, ipc::Error> answer(ClientId client, SearchTicket ticket,
                                              const json::Value& results);

    void on_timeout(TimePoint now);
    std::optional<TimePoint> next_deadline() const;

    /// Responders that are skipped now.
    std::vector<std::string> warnings(TimePoint now) const;
    std::vector<std::pair<std::string_view, std::uint64_t>> counters() const;

  private:
    struct Responder {
        Types types;
        std::uint32_t user = 0;
        unsigned silences = 0;
        TimePoint last_silence;
        std::optional<TimePoint> paused_until;
        std::size_t open = 0;
        std::size_t held = 0;
    };
    struct Result {
        std::optional<double> score;
        std::size_t rank = 0;  ///< its place in its responder's answer
        ClientId client = 0;
        std::string text;
    };
    struct Open {
        TimePoint asked;
        TimePoint deadline;
        std::uint32_t limit = 0;
        std::set<ClientId> waiting;
        std::vector<Result> results;
        bool is_truncated = false;
        std::uint32_t silent = 0;
        std::uint32_t skipped = 0;
    };
    using OpenMap = std::map<SearchTicket, Open>;

    void tell_types();
    bool may_ask(TimePoint now, const Responder& responder) const;
    void count_silence(TimePoint now, const Open& open, Responder& responder);
    void finish(OpenMap::iterator it);

    Callbacks callbacks_;
    std::map<ClientId, Responder> responders_;
    Types types_;
    OpenMap open_;
    std::set<std::pair<TimePoint, SearchTicket>> deadlines_;
    std::size_t held_ = 0;
    std::uint64_t asked_count_ = 0;
    std::uint64_t silent_count_ = 0;
    std::uint64_t skipped_count_ = 0;
    std::uint64_t refused_count_ = 0;
};

}  // namespace meshd
