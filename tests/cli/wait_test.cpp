// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>

#include "tests/cli/fake_daemon.h"
#include "tests/cli/parsed.h"
#include "tests/cli/run_meshctl.h"

namespace meshd::cli {
namespace {

constexpr const char* kSubscribed =
    R"("result":{"subscription":"1","cursor":"00000000000000aa.0.0"})";
constexpr const char* kTwoOfThree =
    R"("result":{"nodes":[{"node_id":"a","status":"alive"},{"node_id":"b","status":"alive"},)"
    R"({"node_id":"c","status":"offline"}]})";
constexpr const char* kAll =
    R"("result":{"nodes":[{"node_id":"a","status":"alive"},{"node_id":"b","status":"alive"},)"
    R"({"node_id":"c","status":"alive"}]})";
constexpr const char* kReturned =
    R"({"jsonrpc":"2.0","method":"event","params":{"subscription":"1","kind":"node.returned",)"
    R"("cursor":"00000000000000aa.1.0","timestamp_ms":0,"data":{"node_id":"c"}}})"
    "\n";

/// Answers mesh.peers with each of these in turn, the last one for ever.
Session with_peers(std::vector<std::string> all) {
    auto next = std::make_shared<std::size_t>(0);
    return responder([all = std::move(all), next](std::string_view method, const std::string&) {
        if (method == "events.subscribe") {
            return std::string(kSubscribed);
        }
        if (method == "mesh.nodes") {
            return std::string(kAll);
        }
        const std::size_t now = std::min(*next, all.size() - 1);
        ++*next;
        return R"("result":{"peers":[)" + all[now] + "]}";
    });
}

TEST_CASE("wait: what holds already ends it at once") {
    const FakeDaemon daemon({with_peers({""})});
    const Finished done = run_meshctl(
        {"--socket", daemon.path(), "wait", "--nodes", "3", "--node", "c", "--timeout", "60"});
    CHECK(done.exit_code == 0);
    CHECK(done.out == "3 boxes are alive\n");
    CHECK(done.err.empty());
}

TEST_CASE("wait: an event makes it look again, and the goal reached ends it") {
    const FakeDaemon daemon({[](Connection& connection) {
        connection.answer(kSubscribed);
        connection.answer(kTwoOfThree);
        connection.write(kReturned);
        connection.answer(kAll);
        connection.wait_for_end();
    }});
    const Finished done =
        run_meshctl({"--socket", daemon.path(), "wait", "--node", "c", "--timeout", "60", "-q"});
    CHECK(done.exit_code == 0);
    CHECK(done.out.empty());
}

TEST_CASE("wait: when the time is up it is 4, and the words say what is missing") {
    const FakeDaemon daemon({[](Connection& connection) {
        connection.answer(kSubscribed);
        connection.answer(kTwoOfThree);
        connection.wait_for_end();
    }});
    const Finished done = run_meshctl({"--socket", daemon.path(), "wait", "--nodes", "3", "--node",
                                       "c", "--node", "x", "--timeout", "100ms", "--json"});
    CHECK(done.exit_code == 4);
    CHECK(done.err.find("2 of 3 boxes are alive; c is offline; x is not known") !=
          std::string::npos);
    const auto document = parsed(done.out);
    CHECK(document.root()["reached"].as_bool() == false);
    CHECK(document.root()["nodes_alive"].as_uint() == 2);
    CHECK(document.root()["missing"].size() == 3);
}

TEST_CASE("wait: a daemon that answers nothing has not reached what was waited for") {
    const FakeDaemon silent({[](Connection& connection) { connection.wait_for_end(); }});
    const FakeDaemon hung({[](Connection& connection) {
        connection.answer(kSubscribed);
        connection.wait_for_end();
    }});
    for (const FakeDaemon* daemon : {&silent, &hung}) {
        const Finished done = run_meshctl(
            {"--socket", daemon->path(), "wait", "--nodes", "3", "--timeout", "100ms", "--json"});
        CHECK(done.exit_code == 4);
        CHECK(done.err.find(": the daemon does not answer\n") != std::string::npos);
        const auto document = parsed(done.out);
        CHECK(document.root()["reached"].as_bool() == false);
        CHECK(document.root()["missing"].size() == 1);
    }
}

TEST_CASE("wait: synchronised means that every peer agreed since it began to wait") {
    const FakeDaemon daemon(
        {with_peers({R"({"node_id":"b","agreed_ms":null})", R"({"node_id":"b","agreed_ms":900000})",
                     R"({"node_id":"b","agreed_ms":0})"})});
    const Finished done =
        run_meshctl({"--socket", daemon.path(), "wait", "--synchronised", "--timeout", "60"});
    CHECK(done.exit_code == 0);
    CHECK(done.out == "3 boxes are alive, and this one has what they have\n");
    const FakeDaemon alone({with_peers({""})});
    const Finished waited =
        run_meshctl({"--socket", alone.path(), "wait", "--synchronised", "--timeout", "100ms"});
    CHECK(waited.exit_code == 4);
    CHECK(waited.err.find("there is no link yet") != std::string::npos);
}

TEST_CASE("wait: the daemon may end and come back meanwhile, and no daemon is 3") {
    const FakeDaemon daemon({[](Connection& connection) {
                                 connection.answer(kSubscribed);
                                 connection.answer(kTwoOfThree);
                             },
                             with_peers({""})});
    const Finished done =
        run_meshctl({"--socket", daemon.path(), "wait", "--nodes", "3", "--timeout", "60"});
    CHECK(done.exit_code == 0);
    const TemporaryDirectory directory;
    const Finished none = run_meshctl(
        {"--socket", directory.path() + "/x", "wait", "--nodes", "1", "--timeout", "50ms"});
    CHECK(none.exit_code == 3);
    CHECK(run_meshctl({"wait"}).exit_code == 2);
}

}  // namespace
}  // namespace meshd::cli
