// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <uv.h>

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "proto/base/time.h"
#include "proto/nearest.h"

namespace meshd {

/// Runs searches of the registry: short ones at once, as long as the loop has time for them, the
/// others on a thread of their own, one after the other. What the mesh asks and what local
/// processes ask takes turns there, so that neither keeps the other waiting for long.
///
/// Invariants: of any 10 ms the loop spends no more on searches than one may take that is short;
/// what waits is bounded; `done` is called from the loop thread, and not after the end of this
/// object.
class ScanWorker {
  public:
    enum class Asker : std::uint8_t { Local, Mesh };
    using Done = std::function<void(NearestResult)>;

    /// Searches waiting, of each kind of asker.
    static constexpr std::size_t kWaitingMax = 256;
    /// And what there is to do for them (NearestSearch::work()): two seconds on a slow box. One
    /// search that is beyond it alone is taken where nothing waits.
    static constexpr std::uint64_t kWorkMax = 8'000'000'000;
    /// Of work, on a slow box: what the hint to a refused caller is made of.
    static constexpr std::uint64_t kWorkPerMs = 4'000'000;

    struct Limits {
        std::size_t waiting_max = kWaitingMax;
        std::uint64_t work_max = kWorkMax;
    };
    /// `loop` must outlive it and run once more after its end.
    explicit ScanWorker(uv_loop_t* loop) : ScanWorker(loop, Limits()) {}
    ScanWorker(uv_loop_t* loop, Limits limits);
    ScanWorker(const ScanWorker&) = delete;
    ScanWorker& operator=(const ScanWorker&) = delete;
    /// Ends after the search under way; those that wait are given up.
    ~ScanWorker();

    /// `done` is called once: before this returns, or later from the loop. Where too much waits,
    /// nothing happens and the error is the time after which there may be room.
    tl::expected<void, Duration> run(Asker asker, NearestSearch search, Done done);

    std::vector<std::pair<std::string_view, std::uint64_t>> counters() const;

  private:
    struct Job {
        NearestSearch search;
        Done done;
        std::uint64_t work = 0;  ///< as of the asking: it shrinks once the search has run
    };
    struct Finished {
        Done done;
        NearestResult result;
        std::size_t queue = 0;
        std::uint64_t work = 0;
    };
    bool has_time(std::uint64_t work);
    void work();
    void on_finished();

    uv_loop_t* loop_;
    Limits limits_;
    uv_async_t* wake_;
    std::uint64_t window_began_ms_ = 0;
    std::uint64_t window_work_ = 0;
    /// Of each kind of asker: jobs handed over and not finished, and their work.
    std::array<std::size_t, 2> waiting_{};
    std::array<std::uint64_t, 2> waiting_work_{};
    std::uint64_t inline_count_ = 0;
    std::uint64_t worker_count_ = 0;
    std::uint64_t refused_count_ = 0;

    std::mutex mutex_;
    std::condition_variable wanted_;
    std::array<std::deque<Job>, 2> queues_;
    std::size_t turn_ = 0;
    std::vector<Finished> finished_;
    bool is_ending_ = false;
    std::thread thread_;  ///< last, so that it finds the others there
};

}  // namespace meshd
