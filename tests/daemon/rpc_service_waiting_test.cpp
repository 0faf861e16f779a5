// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>

#include "tests/daemon/rpc_fixture.h"

using namespace meshd;
using namespace meshd::rpc_test;

TEST_CASE("service: a waiting call is answered by the output of its request, others overtake it") {
    Fixture f;
    f.recording();
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":"w","method":"alerts.raise",)"
                               R"("params":{"alert":{},"wait_ms":500}})");
    CHECK(f.take().empty());
    CHECK(f.service.is_waiting(kClient));
    CHECK(f.code("events.unsubscribe", R"({"subscription":"x"})") == 0);
    AlertRaised other;
    other.request = RequestId{77};
    f.service.on_output(other);
    CHECK(f.take().empty());
    AlertRaised raised;
    raised.request = RequestId{f.mesh.last_request};
    raised.id = "box-1.x.1";
    f.service.on_output(raised);
    CHECK(f.take() ==
          Lines{R"({"jsonrpc":"2.0","result":{"id":"box-1.x.1","durable":false,)"
                R"("repeated":false,"delivered":[],"pending":[],"listeners":0},"id":"w"})"});
    CHECK_FALSE(f.service.is_waiting(kClient));
    f.service.on_output(raised);
    CHECK(f.take().empty());
}

TEST_CASE("service: a batch with waiting calls is answered when all are done, in order") {
    Fixture f;
    f.recording();
    f.service.on_line(kClient, R"([{"jsonrpc":"2.0","id":1,"method":"mesh.discover"},)"
                               R"({"jsonrpc":"2.0","method":"mesh.discover"},)"
                               R"({"jsonrpc":"2.0","id":2,"method":"nope"},)"
                               R"({"jsonrpc":"2.0","id":3,"method":"mesh.leave"}])");
    REQUIRE(f.mesh.commands.size() == 3);
    f.service.on_output(HasLeft{RequestId{103}});
    f.service.on_output(Discovered{RequestId{101}});
    CHECK(f.take().empty());
    f.service.on_output(Discovered{RequestId{102}});
    CHECK(f.take() ==
          Lines{R"([{"jsonrpc":"2.0","result":{"discovering":true},"id":1},)"
                R"({"jsonrpc":"2.0","error":{"code":-32601,"message":"there is no such method"},)"
                R"("id":2},{"jsonrpc":"2.0","result":{"left":true},"id":3}])"});
}

TEST_CASE("service: a client that vanishes while calls wait gets nothing and leaves nothing") {
    Fixture f;
    f.recording();
    f.service.on_line(kClient, R"([{"jsonrpc":"2.0","id":1,"method":"mesh.discover"},)"
                               R"({"jsonrpc":"2.0","id":2,"method":"mesh.discover"}])");
    f.service.on_line(2, R"({"jsonrpc":"2.0","id":3,"method":"mesh.discover"})");
    f.service.on_client_gone(kClient);
    CHECK_FALSE(f.service.is_waiting(kClient));
    for (const std::uint64_t request : {101U, 102U, 103U}) {
        f.service.on_output(Discovered{RequestId{request}});
    }
    CHECK(f.take().empty());
    CHECK(f.take(2) == Lines{R"({"jsonrpc":"2.0","result":{"discovering":true},"id":3})"});
}

TEST_CASE("service: waiting calls of a client are bounded, those that need not wait go on") {
    Fixture f;
    f.recording();
    for (int i = 0; i < 64; ++i) {
        f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":1,"method":"mesh.discover"})");
    }
    CHECK(f.take().empty());
    CHECK(f.code("mesh.discover") == 900);
    CHECK(f.code("mesh.status") == 0);
    CHECK(f.mesh.commands.size() == 64);
    f.service.on_line(2, R"({"jsonrpc":"2.0","id":1,"method":"mesh.discover"})");
    CHECK(f.mesh.commands.size() == 65);
    f.service.on_output(Discovered{RequestId{101}});
    f.take();
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":1,"method":"mesh.discover"})");
    CHECK(f.mesh.commands.size() == 66);
}

TEST_CASE("service: waiting calls of a user are bounded over all connections") {
    Fixture f;
    f.recording();
    const std::string line = R"({"jsonrpc":"2.0","id":1,"method":"mesh.discover"})";
    for (std::size_t i = 0; i < RpcService::kWaitingPerUserMax; ++i) {
        f.service.on_line(10 + i % 16, line);
    }
    CHECK(f.mesh.commands.size() == RpcService::kWaitingPerUserMax);
    f.user = 1001;
    f.service.on_line(2, line);
    CHECK(f.mesh.commands.size() == RpcService::kWaitingPerUserMax + 1);
    f.user = 1000;
    f.service.on_line(3, line);
    REQUIRE(f.take(3).size() == 1);
    f.service.on_client_gone(10);
    f.service.on_line(3, line);
    CHECK(f.take(3).empty());
    CHECK(f.mesh.commands.size() == RpcService::kWaitingPerUserMax + 2);
}

TEST_CASE("service: results that wait for the rest of their batch are bounded for a client") {
    Fixture f;
    f.result("state.update", R"({"patch":{"x":")" + std::string(60'000, 'x') + "\"}}");
    f.recording();
    std::string batch = R"([{"jsonrpc":"2.0","id":0,"method":"mesh.discover"})";
    for (int i = 1; i < 200; ++i) {
        batch += R"(,{"jsonrpc":"2.0","id":1,"method":"state.get"})";
    }
    batch += "]";
    for (int i = 0; i < 4; ++i) {
        f.service.on_line(kClient, batch);
    }
    // The third and fourth find no room, begin nothing and are answered at once.
    CHECK(f.take().size() == 2);
    CHECK(f.mesh.commands.size() == 2);
    std::size_t bytes = 0;
    for (std::uint64_t request = 101; request <= 102; ++request) {
        f.service.on_output(Discovered{RequestId{request}});
    }
    for (const std::string& line : f.take()) {
        bytes += line.size();
    }
    CHECK(bytes > 12'000'000);
    CHECK(bytes < 18'000'000);
    f.service.on_line(kClient, R"([{"jsonrpc":"2.0","id":1,"method":"state.get"}])");
    CHECK(f.take().front().size() > 60'000);
}

TEST_CASE("service: what was answered no longer counts against a client that has calls waiting") {
    Fixture f;
    f.result("state.update", R"({"patch":{"x":")" + std::string(60'000, 'x') + "\"}}");
    f.recording();
    std::string batch = R"([{"jsonrpc":"2.0","id":0,"method":"mesh.discover"})";
    for (int i = 1; i < 100; ++i) {
        batch += R"(,{"jsonrpc":"2.0","id":1,"method":"state.get"})";
    }
    batch += "]";
    // One call always waits, whatever has been answered.
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":9,"method":"mesh.discover"})");
    for (std::uint64_t i = 0; i < 6; ++i) {
        f.service.on_line(kClient, batch);
        f.service.on_output(Discovered{RequestId{102 + i}});
        const auto lines = f.take();
        REQUIRE(lines.size() == 1);
        CHECK(lines[0].size() > 99 * 60'000);
    }
}

TEST_CASE("service: a call in a batch whose results leave no room for it is not begun") {
    Fixture f;
    f.result("state.update", R"({"patch":{"x":")" + std::string(60'000, 'x') + "\"}}");
    f.recording();
    std::string gets;
    for (int i = 0; i < 200; ++i) {
        gets += R"({"jsonrpc":"2.0","id":1,"method":"state.get"},)";
    }
    const std::string leave = R"({"jsonrpc":"2.0","id":2,"method":"mesh.discover"}])";
    f.service.on_line(kClient, "[" + gets + leave);
    CHECK(f.mesh.commands.size() == 1);
    f.service.on_line(kClient, "[" + gets + leave);
    CHECK(f.mesh.commands.size() == 1);
    const auto lines = f.take();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].ends_with(
        R"("message":"the results of the batch so far leave no room for this call: )"
        R"(it was not begun"},"id":2}])"));
}
