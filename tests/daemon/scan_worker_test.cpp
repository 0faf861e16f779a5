// SPDX-License-Identifier: Apache-2.0
#include "daemon/scan_worker.h"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proto/node.h"
#include "proto/store/embedding.h"

using namespace meshd;
using namespace std::chrono_literals;

namespace {

/// A worker in a loop of its own, and a node with some entries to search.
class Bench {
  public:
    explicit Bench(ScanWorker::Limits limits = {}, bool is_warm = true) {
        REQUIRE(uv_loop_init(&loop_) == 0);
        uv_update_time(&loop_);
        worker_ = std::make_unique<ScanWorker>(&loop_, limits);
        NodeOptions options;
        options.node_id = *NodeId::parse("box-1");
        options.instance = InstanceId{1};
        node_ = std::make_unique<Node>(Config{}, options, now_);
        PutEntries put;
        for (std::size_t i = 0; i < kEntries; ++i) {
            std::vector<double> values;
            for (std::size_t j = 0; j < kDimension; ++j) {
                values.push_back(static_cast<double>((i * 7919 + j * 104'729) % 1009) - 504);
            }
            EntryPut entry;
            entry.hash = "h" + std::to_string(i);
            entry.type = "face";
            entry.space = "s";
            entry.embedding = *make_embedding(values);
            put.entries.push_back(std::move(entry));
        }
        REQUIRE(node_->handle_command(now_, std::move(put)));
        if (is_warm) {
            search(1).run();  // the first one makes codes of the entries, which is work too
        }
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;
    ~Bench() {
        worker_.reset();
        uv_run(&loop_, UV_RUN_DEFAULT);
        CHECK(uv_loop_close(&loop_) == 0);
    }

    NearestSearch search(std::size_t queries) {
        NearestQuery query;
        for (std::size_t i = 0; i < queries; ++i) {
            query.queries.emplace_back(kDimension, 0.0F)[i] = 1.0F;
        }
        query.space = "s";
        query.k = 3;
        auto prepared = node_->prepare_nearest(now_, query);
        REQUIRE(prepared);
        return std::move(*prepared);
    }
    tl::expected<void, Duration> run(NearestSearch search,
                                     ScanWorker::Asker asker = ScanWorker::Asker::Local) {
        return worker_->run(asker, std::move(search), [this, asker](const NearestResult& result) {
            CHECK(std::this_thread::get_id() == loop_thread_);
            CHECK(result.matches.size() >= 1);
            done.push_back(asker);
        });
    }
    void run_until(std::size_t count) {
        uv_timer_t alive{};  // the worker alone does not keep a loop going
        uv_timer_init(&loop_, &alive);
        uv_timer_start(
            &alive, [](uv_timer_t*) {}, 1, 1);
        while (done.size() < count) {
            uv_run(&loop_, UV_RUN_ONCE);
        }
        uv_close(reinterpret_cast<uv_handle_t*>(&alive), nullptr);
        uv_run(&loop_, UV_RUN_DEFAULT);
    }
    std::uint64_t counter(std::string_view name) const {
        for (const auto& [known, value] : worker_->counters()) {
            if (known == name) {
                return value;
            }
        }
        return 0;
    }
    void end_worker() { worker_.reset(); }

    std::vector<ScanWorker::Asker> done;

  private:
    static constexpr std::size_t kEntries = 300;
    static constexpr std::size_t kDimension = 512;
    std::thread::id loop_thread_ = std::this_thread::get_id();
    Now now_{TimePoint(1s), WallTime{1'718'000'000'000}};
    uv_loop_t loop_{};
    std::unique_ptr<ScanWorker> worker_;
    std::unique_ptr<Node> node_;
};

}  // namespace

TEST_CASE("scan worker: a short search is done at once, a long one never in the loop's own time") {
    Bench b;
    const NearestSearch small = b.search(1);
    const NearestSearch large = b.search(64);
    REQUIRE_FALSE(small.is_long());
    REQUIRE(large.is_long());
    CHECK(b.run(small));
    CHECK(b.done.size() == 1);
    CHECK(b.run(large));
    CHECK(b.done.size() == 1);
    CHECK(b.counter("scans_beside") == 1);
    b.run_until(2);
    CHECK(b.done.size() == 2);
}

TEST_CASE("scan worker: many short searches in one turn of the loop do not add up to a long one") {
    Bench b;
    const NearestSearch small = b.search(4);
    const std::uint64_t fitting = NearestSearch::kInlineWorkMax / small.work();
    const std::uint64_t count = fitting + 5;
    for (std::uint64_t i = 0; i < count; ++i) {
        CHECK(b.run(small));
    }
    CHECK(b.counter("scans_inline") == fitting);
    CHECK(b.counter("scans_beside") == 5);
    b.run_until(count);
}

TEST_CASE("scan worker: what waits is bounded in number, and each kind of asker has its own room") {
    Bench b({4, ScanWorker::kWorkMax});
    const NearestSearch large = b.search(64);
    for (int i = 0; i < 4; ++i) {
        CHECK(b.run(large));
    }
    CHECK_FALSE(b.run(large));
    CHECK(b.counter("scans_refused") == 1);
    CHECK(b.run(large, ScanWorker::Asker::Mesh));
    b.run_until(5);
    // Taken in turn, not behind all the others.
    CHECK(b.done.back() == ScanWorker::Asker::Local);
    CHECK(b.run(large));
    b.run_until(6);
}

TEST_CASE("scan worker: what waits is bounded in work, with a hint, and given back as it was") {
    // The first search makes codes, so that there is less to do for it once it has run.
    Bench b({100, 1}, false);
    CHECK(b.run(b.search(64)));
    const auto refused = b.run(b.search(64));
    REQUIRE_FALSE(refused);
    CHECK(refused.error() >= 1ms);
    b.run_until(1);
    CHECK(b.run(b.search(64)));
    CHECK_FALSE(b.run(b.search(64)));
    b.run_until(2);
}

TEST_CASE("scan worker: its end gives up what waits, and calls nobody") {
    Bench b;
    for (int i = 0; i < 20; ++i) {
        CHECK(b.run(b.search(64)));
    }
    b.end_worker();
    CHECK(b.done.empty());
}
