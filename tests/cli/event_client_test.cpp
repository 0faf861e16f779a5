// SPDX-License-Identifier: Apache-2.0
#include "ipc/client/event_client.h"

#include <doctest/doctest.h>
#include <poll.h>

#include <chrono>
#include <optional>

#include "ipc/error.h"
#include "tests/cli/fake_daemon.h"

namespace meshd::ipc {
namespace {

using cli::Connection;
using Kind = ClientError::Kind;

Deadline far() {
    return std::chrono::steady_clock::now() + std::chrono::minutes(1);
}

/// A client and the daemon's end of its connection; notes what it is told.
struct Pair {
    Pair() : Pair(cli::socket_pair()) {}
    explicit Pair(std::pair<Descriptor, Descriptor> ends)
        : client(std::move(ends.first)), daemon(std::in_place, std::move(ends.second)) {}

    /// Starts a call whose outcome is noted.
    void call(std::string_view method, Deadline deadline = far()) {
        client.call(method, "{}", deadline,
                    [this, name = std::string(method)](const auto& reply) { note(name, reply); });
    }
    void note(const std::string& name, const tl::expected<Reply, ClientError>& reply) {
        told.push_back(name +
                       (reply ? " " + reply->result().print()
                              : " failed " + std::to_string(static_cast<int>(reply.error().kind))));
    }
    std::string failed(const std::string& name, Kind kind) const {
        return name + " failed " + std::to_string(static_cast<int>(kind));
    }

    EventClient client;
    std::optional<Connection> daemon;
    std::vector<std::string> told;
};

using Told = std::vector<std::string>;

std::string event(std::string_view subscription, int n) {
    return R"({"jsonrpc":"2.0","method":"event","params":{"subscription":")" +
           std::string(subscription) + R"(","kind":"alert","cursor":"c","timestamp_ms":1,"data":)" +
           std::to_string(n) + "}}\n";
}

TEST_CASE("event client: calls go out at the next dispatch and answers come in any order") {
    Pair pair;
    pair.call("first");
    pair.call("second");
    CHECK((pair.client.wanted() & POLLOUT) != 0);
    CHECK(pair.client.dispatch());
    CHECK((pair.client.wanted() & POLLOUT) == 0);
    CHECK(pair.daemon->read_line() == R"({"jsonrpc":"2.0","id":1,"method":"first","params":{}})");
    CHECK(pair.daemon->read_line() == R"({"jsonrpc":"2.0","id":2,"method":"second","params":{}})");
    CHECK(pair.told.empty());
    pair.daemon->write(R"({"jsonrpc":"2.0","id":2,"result":{"n":2}})"
                       "\n"
                       R"({"jsonrpc":"2.0","id":1,"er)");
    CHECK(pair.client.dispatch());
    pair.daemon->write(R"(ror":{"code":100,"message":"no"}})"
                       "\n");
    CHECK(pair.client.dispatch());
    CHECK(pair.told == Told{R"(second {"n":2})", pair.failed("first", Kind::Remote)});
    CHECK_FALSE(pair.client.next_deadline());
}

TEST_CASE("event client: events reach their own subscription, after its reply") {
    Pair pair;
    Told events;
    const auto subscribe = [&](const std::string& name) {
        pair.client.subscribe(
            "{}", far(),
            [&, name](const Event& one) { events.push_back(name + one.data().print()); },
            [&, name](const auto& reply) { pair.note(name, reply); });
    };
    subscribe("a");
    subscribe("b");
    pair.daemon->write(R"({"jsonrpc":"2.0","id":1,"result":{"subscription":"1"}})"
                       "\n" +
                       event("1", 1) +
                       R"({"jsonrpc":"2.0","id":2,"result":{"subscription":"2"}})"
                       "\n" +
                       event("2", 2) + event("9", 3) + event("1", 4));
    CHECK(pair.client.dispatch());
    CHECK(pair.told.size() == 2);
    CHECK(events == Told{"a1", "b2", "a4"});
}

TEST_CASE("event client: a call without an answer ends at its deadline, a late answer is dropped") {
    Pair pair;
    pair.call("slow", Deadline::min());
    pair.call("other");
    CHECK(pair.client.next_deadline() == Deadline::min());
    CHECK(pair.client.wait_and_dispatch(far()));
    CHECK(pair.told == Told{pair.failed("slow", Kind::Timeout)});
    pair.daemon->write(R"({"jsonrpc":"2.0","id":1,"result":{}})"
                       "\n"
                       R"({"jsonrpc":"2.0","id":2,"result":{}})"
                       "\n");
    CHECK(pair.client.wait_and_dispatch(far()));
    CHECK(pair.told.size() == 2);
    CHECK(pair.told.back() == "other {}");
}

TEST_CASE("event client: the end of the connection is told to every call, once") {
    Pair pair;
    pair.call("one");
    pair.call("two");
    CHECK(pair.client.dispatch());
    pair.daemon.reset();
    CHECK_FALSE(pair.client.dispatch());
    CHECK(pair.client.error()->kind == Kind::Closed);
    CHECK(pair.told == Told{pair.failed("one", Kind::Closed), pair.failed("two", Kind::Closed)});
    pair.call("three");
    CHECK_FALSE(pair.client.dispatch());
    CHECK(pair.told.size() == 3);
}

TEST_CASE("event client: what the daemon says before it closes is still told") {
    Pair pair;
    pair.daemon->write(
        R"({"jsonrpc":"2.0","id":null,"error":{"code":900,"message":"too many connections"}})"
        "\n");
    pair.daemon.reset();
    std::optional<ClientError> error;
    pair.client.call("m", "{}", far(), [&](const auto& reply) { error = reply.error(); });
    while (pair.client.dispatch()) {
    }
    REQUIRE(error);
    CHECK(error->code == static_cast<int>(ErrorCode::Overloaded));
}

TEST_CASE("event client: callbacks may call on, text that is no JSON ends the connection") {
    Pair pair;
    pair.client.call("first", "{}", far(), [&](const auto&) { pair.call("second"); });
    CHECK(pair.client.dispatch());
    pair.daemon->write(R"({"jsonrpc":"2.0","id":1,"result":{}})"
                       "\n");
    CHECK(pair.client.dispatch());
    pair.daemon->read_line();
    CHECK(pair.daemon->read_line() == R"({"jsonrpc":"2.0","id":2,"method":"second","params":{}})");
    pair.daemon->write("HTTP/1.1 400\n");
    CHECK_FALSE(pair.client.dispatch());
    CHECK(pair.told == Told{pair.failed("second", Kind::Protocol)});
}

TEST_CASE("event client: requests that the daemon does not take are bounded") {
    Pair pair;
    const std::string params = "[\"" + std::string(1 << 20, 'x') + "\"]";
    for (std::size_t i = 0; i < EventClient::kUnsentBytesMax / params.size() + 4; ++i) {
        pair.client.call("m", params, far(), [&](const auto& reply) { pair.note("m", reply); });
    }
    CHECK(pair.client.dispatch());
    CHECK(pair.told.size() >= 3);
    CHECK(pair.told.front() == pair.failed("m", Kind::Protocol));
}

}  // namespace
}  // namespace meshd::ipc
