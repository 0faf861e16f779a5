// SPDX-License-Identifier: Apache-2.0
/// \file
/// The questions that are put to this node: what is being worked on, what was answered
/// (PROTOCOL.md, "Searches").
///
/// A question is asked again while its asker hears nothing, so the same one may come several times.
/// It is worked on once: while it is, the asker is told so; afterwards the same answer is given
/// again, as long as it is kept.
///
/// Invariants: each question is finished exactly once, at its deadline at the latest; what one
/// asker has open here is bounded, so that it takes no room from the others.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/ids.h"
#include "proto/base/node_id.h"
#include "proto/base/time.h"
#include "proto/search/result_list.h"

namespace meshd {

class SearchAnswerer {
  public:
    /// Questions worked on at once, and of one asker; more are refused as overloaded.
    static constexpr std::size_t kOpenMax = 1024;
    static constexpr std::size_t kOpenPerAskerMax = 64;
    /// Answers kept to be given again, and their bytes; the oldest makes room.
    static constexpr std::size_t kKeptMax = 1024;
    static constexpr std::size_t kKeptBytesMax = std::size_t{4} << 20;
    /// An answer is not given again sooner: it may still be on its way, and may be 64 KiB long.
    static constexpr Duration kRepeatAfter = std::chrono::milliseconds(200);

    /// What an answer is made of.
    enum class Part : std::uint8_t {
        Registry = 1,    ///< entries held here
        Responders = 2,  ///< local processes
    };
    struct Question {
        NodeId source;
        StartId start;
        std::uint64_t number = 0;
        friend auto operator<=>(const Question&, const Question&) = default;
    };
    struct Answer {
        bool is_truncated = false;
        std::uint32_t silent = 0;   ///< local responders that did not answer in time
        std::uint32_t skipped = 0;  ///< and those not asked
        std::string results = "[]";
    };
    struct Finished {
        Question question;
        Answer answer;
        bool is_asked = true;  ///< false: only stale results were wanted
        /// Of the asker itself: results from the entries of nodes that are not alive, by node.
        std::map<NodeId, std::string> stale{};
    };
    enum class What {
        Work,        ///< it is new
        Pending,     ///< it is worked on: to be told so
        Quiet,       ///< its answer has just left: nothing is to be said
        Repeat,      ///< the kept answer is to be given again
        Overloaded,  ///< refused
    };
    struct Taken {
        What what = What::Work;
        SearchTicket ticket{};           ///< to Work on
        const Answer* answer = nullptr;  ///< to Repeat; valid until the next call
    };

    /// `deadline`: when local work ends; `keep_until`: while it may be asked again.
    Taken on_question(TimePoint now, const Question& question, std::size_t limit,
                      TimePoint deadline, TimePoint keep_until);
    /// That part of the answer is to come. A question without any is finished by finish_if_done().
    void expect(SearchTicket ticket, Part part);
    bool is_expected(SearchTicket ticket, Part part) const;
    /// The list for results from entries of `owner`, a node that is not alive; empty: this node.
    /// Null where the ticket is over.
    ResultList* results(SearchTicket ticket, const NodeId& owner);
    /// The list for what local responders say, which follows the node's own results. As above.
    ResultList* responder_results(SearchTicket ticket);
    /// A part came in, all its results added. Of responders: how many did not answer in time, and
    /// how many were not asked.
    void on_part(SearchTicket ticket, Part part, std::uint32_t silent = 0,
                 std::uint32_t skipped = 0);
    void finish_if_done(TimePoint now, SearchTicket ticket);

    void on_timeout(TimePoint now);
    std::optional<TimePoint> next_deadline() const;
    std::optional<Finished> poll_finished();

  private:
    struct Open {
        Question question;
        std::size_t limit = 0;
        std::uint8_t parts = 0;  ///< to come
        std::uint32_t silent = 0;
        std::uint32_t skipped = 0;
        std::map<NodeId, ResultList> results;
        ResultList of_responders;
        TimePoint deadline;
        TimePoint keep_until;
    };
    struct Kept {
        Answer answer;
        TimePoint sent;
        TimePoint until;
    };
    void finish(TimePoint now, std::map<SearchTicket, Open>::iterator it);
    void keep(TimePoint now, const Question& question, Kept kept);
    void drop_oldest();

    std::map<SearchTicket, Open> open_;
    std::map<Question, SearchTicket> tickets_;
    std::map<NodeId, std::size_t> open_of_;
    std::map<Question, Kept> kept_;
    std::deque<Question> kept_order_;  ///< oldest first
    std::size_t kept_bytes_ = 0;
    std::deque<Finished> finished_;
    std::uint64_t last_ticket_ = 0;
};

}  // namespace meshd
