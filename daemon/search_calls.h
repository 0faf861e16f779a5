// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/json.h"
#include "proto/node.h"

namespace meshd {

/// The searches that local processes have asked (search.query): their answers as they come in, and
/// the reply once all is said.
///
/// Invariant: what is kept is bounded, per search and in all. An answer whose results have no room
/// is kept without them, marked as truncated; of a streamed search they went out before.
class SearchCalls {
  public:
    /// Of one search: with the merged list the reply stays below the limit of a result (16 MiB).
    static constexpr std::size_t kBytesPerCallMax = std::size_t{4} << 20;
    static constexpr std::size_t kBytesMax = std::size_t{64} << 20;

    struct Options {
        bool is_streamed = false;
        std::size_t limit = 0;
    };
    void start(RequestId request, Options options) { calls_[request].options = options; }
    /// False too where it is over.
    bool is_streamed(RequestId request) const;
    void add(const SearchAnswered& answer);
    /// The result of the call; empty where nobody waits for it.
    std::string finish(const SearchDone& done);
    /// Its caller is gone.
    void drop(RequestId request);

    std::vector<std::pair<std::string_view, std::uint64_t>> counters() const {
        return {{"search_results_dropped", dropped_}};
    }

  private:
    struct Call {
        Options options;
        std::vector<SearchAnswered> answers;
        std::size_t bytes = 0;
    };
    std::map<RequestId, Call> calls_;
    std::size_t bytes_ = 0;
    std::uint64_t dropped_ = 0;
};

/// The members of an answer, inside an object that the caller began.
void write_answer(json::Writer& writer, const SearchAnswered& answer);

}  // namespace meshd
