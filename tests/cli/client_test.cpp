// SPDX-License-Identifier: Apache-2.0
#include "ipc/client/client.h"

#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>

#include "ipc/client/socket_path.h"
#include "tests/cli/fake_daemon.h"

namespace meshd::ipc {
namespace {

using cli::Connection;
using cli::FakeDaemon;
using cli::TemporaryDirectory;
using Kind = ClientError::Kind;

Deadline far() {
    return std::chrono::steady_clock::now() + std::chrono::minutes(1);
}
Deadline near() {
    return std::chrono::steady_clock::now() + std::chrono::milliseconds(30);
}

constexpr std::string_view kEvent =
    R"({"jsonrpc":"2.0","method":"event","params":{"subscription":"1","kind":"alert","cursor":"7","timestamp_ms":1,"data":{"id":"x"}}})";

/// A client and the daemon's end of its connection.
struct Pair {
    Pair() : Pair(cli::socket_pair()) {}
    explicit Pair(std::pair<Descriptor, Descriptor> ends)
        : client(std::move(ends.first)), daemon(std::move(ends.second)) {}
    Client client;
    Connection daemon;
};

TEST_CASE("client: a call sends one line and returns the result as it was written") {
    FakeDaemon daemon({[](Connection& connection) {
        const std::string line =
            connection.answer(R"("result":{"big":18446744073709551615,"x":1.50})");
        CHECK(line == R"({"jsonrpc":"2.0","id":1,"method":"mesh.status","params":{"a":1}})");
    }});
    auto client = Client::connect({daemon.path()}, far());
    REQUIRE(client.has_value());
    const auto reply = client->call("mesh.status", R"({"a":1})", far());
    REQUIRE(reply.has_value());
    CHECK(reply->result().print() == R"({"big":18446744073709551615,"x":1.50})");
}

TEST_CASE("client: an answer in pieces and with blank lines around it is put together") {
    Pair pair;
    pair.daemon.write("\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"res");
    CHECK(pair.client.call("m", "{}", near()).error().kind == Kind::Timeout);
    pair.daemon.write("ult\":{}}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"n\":2}}\n");
    const auto reply = pair.client.call("m", "{}", far());
    REQUIRE(reply.has_value());
    CHECK(reply->result()["n"].as_int() == 2);
}

TEST_CASE("client: a late answer to a call that timed out is not taken for the next one") {
    Pair pair;
    CHECK(pair.client.call("slow", "{}", near()).error().kind == Kind::Timeout);
    pair.daemon.answer(R"("result":{"of":"slow"})");
    pair.daemon.write(R"({"jsonrpc":"2.0","id":2,"result":{"of":"quick"}})"
                      "\n");
    const auto reply = pair.client.call("quick", "{}", far());
    REQUIRE(reply.has_value());
    CHECK(reply->result()["of"].as_string() == "quick");
}

TEST_CASE("client: a deadline in the past still takes an answer that is already there") {
    Pair pair;
    pair.daemon.write(R"({"jsonrpc":"2.0","id":1,"result":{}})"
                      "\n");
    CHECK(pair.client.call("m", "{}", Deadline::min()).has_value());
}

TEST_CASE("client: a daemon that closes in the middle of an answer is told as closed") {
    FakeDaemon daemon({[](Connection& connection) {
        connection.read_line();
        connection.write(R"({"jsonrpc":"2.0","id":1,"resu)");
    }});
    auto client = Client::connect({daemon.path()}, far());
    REQUIRE(client.has_value());
    CHECK(client->call("m", "{}", far()).error().kind == Kind::Closed);
}

TEST_CASE("client: what a daemon said before it closed is still read") {
    auto ends = cli::socket_pair();
    Client client(std::move(ends.first));
    {
        const Connection daemon(std::move(ends.second));
        daemon.write(R"({"jsonrpc":"2.0","id":null,"error":{"code":900,"message":"too many"}})"
                     "\n");
    }
    const auto reply = client.call("m", "{}", far());
    REQUIRE(!reply.has_value());
    CHECK(reply.error().kind == Kind::Remote);
    CHECK(reply.error().code == 900);
}

TEST_CASE("client: an error of the daemon keeps code, message and data") {
    Pair pair;
    pair.daemon.write(
        R"({"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"bad","data":{"field":"x"}}})"
        "\n");
    const auto reply = pair.client.call("m", "{}", far());
    REQUIRE(!reply.has_value());
    CHECK(reply.error().kind == Kind::Remote);
    CHECK(reply.error().code == -32602);
    CHECK(reply.error().message == "bad");
    CHECK(reply.error().data == R"({"field":"x"})");
}

TEST_CASE("client: what is no JSON-RPC answer is refused") {
    for (const char* line : {"hello", "[]", "1", "{}", R"({"id":1})", R"({"id":9,"result":{}})",
                             R"({"id":"1","result":{}})", "{\"id\":1,\"result\":\"\xff\"}"}) {
        CAPTURE(line);
        Pair pair;
        pair.daemon.write(std::string(line) + "\n");
        const auto reply = pair.client.call("m", "{}", far());
        REQUIRE(!reply.has_value());
        CHECK(reply.error().kind == Kind::Protocol);
    }
}

TEST_CASE("client: several calls are under way at once, and answers may come in any order") {
    Pair pair;
    const auto first = pair.client.send("a", "{}", far());
    const auto second = pair.client.send("b", "{}", far());
    const auto third = pair.client.send("c", "{}", far());
    REQUIRE(third.has_value());
    pair.daemon.write(R"({"jsonrpc":"2.0","id":3,"result":{"of":"c"}})"
                      "\n" +
                      std::string(kEvent) + "\n" +
                      R"({"jsonrpc":"2.0","id":1,"error":{"code":900,"message":"busy"}})"
                      "\n"
                      R"({"jsonrpc":"2.0","id":2,"result":{"of":"b"}})"
                      "\n");
    const auto refused = pair.client.receive(*first, far());
    REQUIRE(!refused.has_value());
    CHECK(refused.error().code == 900);
    CHECK(pair.client.receive(*second, far())->result()["of"].as_string() == "b");
    CHECK(pair.client.receive(*third, far())->result()["of"].as_string() == "c");
    CHECK(pair.client.next_event(far())->cursor() == "7");
    CHECK(pair.client.receive(*third, near()).error().kind == Kind::Protocol);
}

TEST_CASE("client: a call given up leaves those after it as they are") {
    Pair pair;
    const auto slow = pair.client.send("slow", "{}", far());
    const auto quick = pair.client.send("quick", "{}", far());
    CHECK(pair.client.receive(*slow, near()).error().kind == Kind::Timeout);
    pair.daemon.answer(R"("result":{"of":"slow"})");
    pair.daemon.answer(R"("result":{"of":"quick"})");
    CHECK(pair.client.receive(*quick, far())->result()["of"].as_string() == "quick");
}

TEST_CASE("client: events that come while a call waits are kept in order") {
    Pair pair;
    std::string second(kEvent);
    second.replace(second.find("\"7\""), 3, "\"8\"");
    pair.daemon.write(std::string(kEvent) + "\n" + second + "\n" +
                      R"({"jsonrpc":"2.0","id":1,"result":{"subscription":"1","cursor":"6"}})"
                      "\n");
    REQUIRE(pair.client.subscribe("{}", far()).has_value());
    const auto first = pair.client.next_event(far());
    REQUIRE(first.has_value());
    CHECK(first->kind() == "alert");
    CHECK(first->cursor() == "7");
    CHECK(first->data()["id"].as_string() == "x");
    CHECK(pair.client.next_event(far())->cursor() == "8");
    CHECK(pair.client.next_event(near()).error().kind == Kind::Timeout);
    CHECK(pair.client.events_lost() == 0);
}

TEST_CASE("client: of too many events while a call waits the oldest go, and are counted") {
    FakeDaemon daemon({[](Connection& connection) {
        connection.read_line();
        for (std::size_t i = 0; i < Client::kEventsKeptMax + 3; ++i) {
            connection.write(R"({"jsonrpc":"2.0","method":"event","params":{"cursor":")" +
                             std::to_string(i) + "\"}}\n");
        }
        connection.write(R"({"jsonrpc":"2.0","id":1,"result":{}})"
                         "\n");
        connection.wait_for_end();
    }});
    auto client = Client::connect({daemon.path()}, far());
    REQUIRE(client.has_value());
    REQUIRE(client->call("m", "{}", far()).has_value());
    CHECK(client->events_lost() == 3);
    CHECK(client->next_event(far())->cursor() == "3");
}

TEST_CASE("client: a request larger than the socket's buffer goes out in pieces") {
    const std::string text(std::size_t{2} << 20, 'x');
    FakeDaemon daemon({[&](Connection& connection) {
        CHECK(connection.answer(R"("result":{})").size() > text.size());
    }});
    auto client = Client::connect({daemon.path()}, far());
    REQUIRE(client.has_value());
    CHECK(client->call("m", "{\"text\":\"" + text + "\"}", far()).has_value());
}

TEST_CASE("client: a daemon that does not read lets the call time out") {
    Pair pair;
    const std::string text(std::size_t{8} << 20, 'x');
    const auto reply = pair.client.call("m", "{\"text\":\"" + text + "\"}", near());
    REQUIRE(!reply.has_value());
    CHECK(reply.error().kind == Kind::Timeout);
}

TEST_CASE("client: waiting ends once the interrupt is readable") {
    Pair pair;
    const Descriptor interrupt(eventfd(1, EFD_CLOEXEC));
    pair.client.set_interrupt(interrupt.get());
    CHECK(pair.client.next_event(std::nullopt).error().kind == Kind::Interrupted);
    CHECK(pair.client.call("m", "{}", far()).error().kind == Kind::Interrupted);
}

TEST_CASE("client: connecting takes the first socket that answers and tells of each that did not") {
    const TemporaryDirectory directory;
    const std::string missing = directory.path() + "/missing";
    const std::string too_long = directory.path() + "/" + std::string(200, 'x');
    const auto failed = Client::connect({missing, too_long, directory.path()}, far());
    REQUIRE(!failed.has_value());
    CHECK(failed.error().kind == Kind::NoDaemon);
    REQUIRE(failed.error().tried.size() == 3);
    CHECK(failed.error().tried[0].path == missing);
    CHECK(failed.error().tried[0].error == ENOENT);
    CHECK(failed.error().tried[1].error == ENAMETOOLONG);
    CHECK(failed.error().tried[2].error == ECONNREFUSED);

    FakeDaemon daemon({[](Connection& connection) { connection.wait_for_end(); }});
    CHECK(Client::connect({missing, daemon.path()}, far()).has_value());
}

TEST_CASE("client: a moved client goes on where it was") {
    Pair pair;
    pair.daemon.write(std::string(kEvent) + "\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
    REQUIRE(pair.client.call("m", "{}", far()).has_value());
    Client moved(std::move(pair.client));
    CHECK(moved.next_event(far())->cursor() == "7");
    pair.daemon.read_line();
    pair.daemon.write(R"({"jsonrpc":"2.0","id":2,"result":{}})"
                      "\n");
    CHECK(moved.call("m", "{}", far()).has_value());
}

TEST_CASE("client: whoever names a socket means that one") {
    CHECK(socket_candidates({"/a", "/b", "/run/user/1"}) == std::vector<std::string>{"/a"});
    CHECK(socket_candidates({"", "/b", "/run/user/1"}) == std::vector<std::string>{"/b"});
    CHECK(socket_candidates({"", "", "/run/user/1"}) ==
          std::vector<std::string>{"/run/meshd/meshd.sock", "/run/user/1/meshd/meshd.sock"});
    CHECK(socket_candidates({}) == std::vector<std::string>{"/run/meshd/meshd.sock"});
}

}  // namespace
}  // namespace meshd::ipc
