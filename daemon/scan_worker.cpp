// SPDX-License-Identifier: Apache-2.0
#include "daemon/scan_worker.h"

#include <algorithm>
#include <chrono>
#include <optional>

namespace meshd {

namespace {

constexpr std::uint64_t kWindowMs = 10;

uv_async_t* make_wake(uv_loop_t* loop, void* data, uv_async_cb callback) {
    auto* wake = new uv_async_t{};
    uv_async_init(loop, wake, callback);
    wake->data = data;
    // Alone it is no reason for the loop to go on.
    uv_unref(reinterpret_cast<uv_handle_t*>(wake));
    return wake;
}

}  // namespace

ScanWorker::ScanWorker(uv_loop_t* loop, Limits limits)
    : loop_(loop),
      limits_(limits),
      wake_(
          make_wake(loop, this,
                    [](uv_async_t* wake) { static_cast<ScanWorker*>(wake->data)->on_finished(); })),
      thread_([this] { work(); }) {}

ScanWorker::~ScanWorker() {
    {
        const std::lock_guard lock(mutex_);
        is_ending_ = true;
    }
    wanted_.notify_one();
    thread_.join();
    uv_close(reinterpret_cast<uv_handle_t*>(wake_),
             [](uv_handle_t* closed) { delete reinterpret_cast<uv_async_t*>(closed); });
}

bool ScanWorker::has_time(std::uint64_t work) {
    const std::uint64_t now = uv_now(loop_);
    if (now - window_began_ms_ >= kWindowMs) {
        window_began_ms_ = now;
        window_work_ = 0;
    }
    if (work > NearestSearch::kInlineWorkMax - window_work_) {
        return false;
    }
    window_work_ += work;
    return true;
}

tl::expected<void, Duration> ScanWorker::run(Asker asker, NearestSearch search, Done done) {
    const std::uint64_t work = search.work();
    if (!search.is_long() && has_time(work)) {
        ++inline_count_;
        done(search.run());
        return {};
    }
    const auto queue = static_cast<std::size_t>(asker);
    if (waiting_[queue] >= limits_.waiting_max ||
        (waiting_[queue] > 0 && waiting_work_[queue] + work > limits_.work_max)) {
        ++refused_count_;
        const auto left = static_cast<std::int64_t>(waiting_work_[queue] / kWorkPerMs);
        return tl::unexpected(Duration(std::chrono::milliseconds(std::max<std::int64_t>(left, 1))));
    }
    ++worker_count_;
    ++waiting_[queue];
    waiting_work_[queue] += work;
    {
        const std::lock_guard lock(mutex_);
        queues_[queue].push_back({std::move(search), std::move(done), work});
    }
    wanted_.notify_one();
    return {};
}

std::vector<std::pair<std::string_view, std::uint64_t>> ScanWorker::counters() const {
    return {{"scans_inline", inline_count_},
            {"scans_beside", worker_count_},
            {"scans_refused", refused_count_}};
}

void ScanWorker::work() {
    while (true) {
        std::optional<Job> job;
        std::size_t queue = 0;
        {
            std::unique_lock lock(mutex_);
            wanted_.wait(
                lock, [this] { return is_ending_ || !queues_[0].empty() || !queues_[1].empty(); });
            if (is_ending_) {
                return;
            }
            queue = queues_[turn_].empty() ? 1 - turn_ : turn_;
            turn_ = 1 - queue;
            job = std::move(queues_[queue].front());
            queues_[queue].pop_front();
        }
        Finished finished{std::move(job->done), job->search.run(), queue, job->work};
        // The snapshot goes before anybody may ask for memory on account of it.
        job.reset();
        {
            const std::lock_guard lock(mutex_);
            finished_.push_back(std::move(finished));
        }
        uv_async_send(wake_);
    }
}

void ScanWorker::on_finished() {
    std::vector<Finished> finished;
    {
        const std::lock_guard lock(mutex_);
        finished.swap(finished_);
    }
    for (Finished& one : finished) {
        --waiting_[one.queue];
        waiting_work_[one.queue] -= one.work;
        one.done(std::move(one.result));
    }
}

}  // namespace meshd
