// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <chrono>
#include <fstream>
#include <map>
#include <string>

#include "ipc/method_table.h"
#include "proto/wire/limits.h"
#include "tests/daemon/rpc_fixture.h"

using namespace meshd;
using namespace meshd::rpc_test;
using namespace std::chrono_literals;

TEST_CASE("service: every method of the table has a handler that gives the table's fields") {
    Fixture f;
    std::map<std::string_view, std::string> params = {
        {"mesh.node", R"({"node_id":"box-1"})"},
        {"alerts.raise", R"({"alert":{"what":"smoke"}})"},
        {"state.update", R"({"patch":{"fps":25}})"},
        {"events.unsubscribe", R"({"subscription":"1"})"},
        {"registry.put", R"({"hash":"h","type":"face"})"},
        {"registry.get", R"({"hash":"known"})"},
        {"registry.nearest", R"({"embedding":[1],"space":"s"})"},
        {"mesh.ping", R"({"node":"box-1"})"},
        {"mesh.trace", R"({"node":"box-1"})"},
        {"notes.send", R"({"node":"box-1","note":{}})"},
        {"notes.broadcast", R"({"note":{}})"},
        {"search.query", R"({"query":{"hash":"known"},"search_type":"hash"})"},
        {"search.serve", R"({"types":["person"]})"},
        {"registry.delete", R"({"hash":"h"})"},
    };
    f.mesh.backup_result = BackupDone{"/b", 1, 1};
    f.result("registry.put", R"({"hash":"known","type":"face"})");
    for (const ipc::Method& method : ipc::methods()) {
        if (method.id == ipc::MethodId::MeshLeave || method.id == ipc::MethodId::EventsSubscribe) {
            continue;  // each ends what the others need: events come in between, nothing goes out
        }
        if (method.id == ipc::MethodId::AlertsGet) {
            continue;  // needs the id of the alert before
        }
        if (method.id == ipc::MethodId::MeshForget || method.id == ipc::MethodId::SearchAnswer) {
            continue;  // needs another node, or a search: each has a test of its own
        }
        CAPTURE(method.name);
        if (method.id == ipc::MethodId::KeysJoin) {
            params[method.name] =
                R"({"token":")" + print_key_token(f.keys.kept.ring.keys[0]) + "\"}";
        }
        if (method.id == ipc::MethodId::KeysRemove) {
            Keyring& ring = f.keys.kept.ring;
            params[method.name] = R"({"id":")" + print_key_id(ring.active) + "\"}";
            REQUIRE(ring.activate(key_id(ring.keys[1])));
        }
        const auto given = params.find(method.name);
        const json::Document document =
            f.result(method.name, given == params.end() ? "{}" : given->second);
        for (const ipc::Field& field : method.result) {
            CAPTURE(field.name);
            CHECK((document.root()["result"][field.name].exists() || !field.is_always_there));
        }
    }
}

TEST_CASE("service with a node: each example of the API document is understood") {
    std::ifstream file(MESHD_SOURCE_DIR "/ipc/API.md");
    REQUIRE(file);
    std::size_t examples = 0;
    std::string line;
    while (std::getline(file, line)) {
        constexpr std::string_view kBegin = "echo '";
        if (!line.starts_with(kBegin)) {
            continue;
        }
        ++examples;
        CAPTURE(line);
        const std::size_t end = line.find('\'', kBegin.size());
        REQUIRE(end != std::string::npos);
        Fixture f;
        f.mesh.backup_result = BackupDone{"/b", 1, 1};
        f.service.on_line(kClient, line.substr(kBegin.size(), end - kBegin.size()));
        for (int second = 0; second < 3; ++second) {
            f.mesh.advance(1s);
            f.deliver();
        }
        const auto lines = f.take();
        REQUIRE_FALSE(lines.empty());
        const auto reply = json::Document::parse(lines[0], json::Limits{});
        REQUIRE(reply);
        // What is not there is said with a code of our own: the call was understood.
        const std::int64_t code = reply->root()["error"]["code"].as_int().value_or(0);
        CHECK((code >= 0 && code != 900 && code != 901));
        CHECK((code != 0 || reply->root()["result"].is_object()));
    }
    CHECK(examples > ipc::methods().size());
}

TEST_CASE("service: unknown methods and params are refused before anything happens") {
    Fixture f;
    f.recording();
    CHECK(f.call("mesh.stauts") ==
          R"({"jsonrpc":"2.0","error":{"code":-32601,"message":"there is no such method",)"
          R"("data":{"did_you_mean":"mesh.status"}},"id":1})");
    CHECK(f.code("alerts.raise", R"({"alert":{},"prioritie":"low"})") == -32602);
    CHECK(f.code("alerts.raise", R"({"alert":[]})") == -32602);
    CHECK(f.code("alerts.raise", R"({"alert":{},"wait_ms":60001})") == -32602);
    CHECK(f.code("state.update", "{}") == -32602);
    CHECK(f.code("state.update", R"({"activity":"OFFLINE"})") == -32602);
    CHECK(f.code("mesh.node", "{}") == -32602);
    CHECK(f.code("events.subscribe", R"({"kinds":["nodes"]})") == -32602);
    CHECK(f.mesh.commands.empty());
}

TEST_CASE("service: a malformed line gets the specified error and the next line works") {
    Fixture f;
    f.service.on_line(kClient, "{oops");
    const auto lines = f.take();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("\"code\":-32700,") != std::string::npos);
    CHECK(lines[0].find("\"id\":null}") != std::string::npos);
    CHECK(f.code("mesh.status") == 0);
}

TEST_CASE("service: whatever is cut off or changed in a line, the answer is one response") {
    Fixture f;
    f.recording();
    const std::string line =
        R"([{"jsonrpc":"2.0","id":1,"method":"alerts.list","params":{"limit":3}},)"
        R"({"jsonrpc":"2.0","id":"x","method":"mesh.nodes","params":[true]}])";
    const auto check = [&](const std::string& text) {
        CAPTURE(text);
        f.service.on_line(kClient, text);
        const auto lines = f.take();
        REQUIRE(lines.size() <= 1);
        if (!lines.empty()) {
            CHECK(json::Document::parse(lines[0], json::Limits{}));
        }
    };
    for (std::size_t i = 0; i < line.size(); ++i) {
        check(line.substr(0, i));
        check(line.substr(i));
        for (const char byte : {'\0', '"', '{', '}', ',', '0', '\x7f', '\xc3'}) {
            std::string changed = line;
            changed[i] = byte;
            check(changed);
        }
    }
    CHECK(f.mesh.commands.empty());
}

TEST_CASE("service: a line beyond the limit is answered") {
    Fixture f;
    f.service.on_line_too_long(kClient);
    CHECK(f.take() == Lines{R"({"jsonrpc":"2.0","error":{"code":-32600,"message":)"
                            R"("a request line must not exceed 1048576 bytes"},"id":null})"});
}

TEST_CASE("service: commands carry what the params say") {
    Fixture f;
    f.recording();
    const auto send = [&](std::string_view method, std::string_view params) {
        f.service.on_line(kClient, R"({"jsonrpc":"2.0","method":")" + std::string(method) +
                                       R"(","params":)" + std::string(params) + "}");
        REQUIRE_FALSE(f.mesh.commands.empty());
        return f.mesh.commands.back();
    };
    const auto raised = std::get<RaiseAlert>(
        send("alerts.raise", R"({"alert":{ "a" : 1.50 },"priority":"critical","wait_ms":20})"));
    CHECK(raised.alert == R"({"a":1.50})");
    CHECK(raised.priority == Priority::Critical);
    CHECK(raised.wait == 20ms);
    CHECK(std::get<RaiseAlert>(send("alerts.raise", "[{}]")).priority == Priority::Normal);
    const auto update = std::get<UpdateState>(send("state.update", R"({"activity":"PROCESSING"})"));
    CHECK(update.activity == Activity::Processing);
    CHECK_FALSE(update.patch);
    CHECK(std::get<UpdateState>(send("state.update", R"({"patch":{"a":null}})")).patch ==
          R"({"a":null})");
    CHECK(std::get<Leave>(send("mesh.leave", R"({"restarting":true})")).restarting);
    CHECK_FALSE(std::get<Leave>(send("mesh.leave", "{}")).restarting);
    CHECK(std::holds_alternative<Discover>(send("mesh.discover", "{}")));
    CHECK(std::get<Forget>(send("mesh.forget", R"({"node_id":"box-9"})")).node.text() == "box-9");
    CHECK(f.take().empty());
}

TEST_CASE("service: refused commands become errors of the method's area") {
    using Code = CommandError::Code;
    Fixture f;
    f.recording(CommandError{Code::TooLarge, "alert", "has 70000 bytes", {}});
    CHECK(f.call("alerts.raise", R"({"alert":{}})")
              .find(R"("code":400,"message":"alert has 70000 bytes",)"
                    R"("data":{"field":"alert","expected":"at most 65536 bytes and 32 levels"})") !=
          std::string::npos);
    CHECK(f.code("state.update", R"({"patch":{}})") == 200);
    f.recording(CommandError{Code::HasLeft, "", "this node has left", {}});
    CHECK(f.code("alerts.raise", R"({"alert":{}})") == 101);
    f.recording(CommandError{Code::Overloaded, "", "full", 30ms});
    CHECK(f.call("alerts.raise", R"({"alert":{}})")
              .find(R"("code":900,"message":"full","data":{"retry_after_ms":30})") !=
          std::string::npos);
    f.recording(CommandError{Code::InvalidParams, "patch", "must be an object", {}});
    CHECK(f.call("state.update", R"({"patch":{}})")
              .find(R"("code":-32602,"message":"patch must be an object",)"
                    R"("data":{"field":"patch","got":"object"})") != std::string::npos);
}

TEST_CASE("service: what changes something is reported with its client, permitted or not") {
    Fixture f;
    f.recording();
    f.call("mesh.status");
    CHECK(f.writes.empty());
    f.is_admin = false;
    f.code("mesh.forget", R"({"node_id":"box-2"})");
    f.service.on_line(kClient,
                      R"({"jsonrpc":"2.0","method":"alerts.raise","params":{"alert":{}}})");
    CHECK(f.writes == Lines{"mesh.forget refused", "alerts.raise"});
}

TEST_CASE("service with a node: state is patched, read back and told") {
    Fixture f;
    CHECK(f.result("state.get").root()["result"]["state"].print() == "{}");
    f.service.on_line(2, R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe",)"
                         R"("params":{"kinds":["state"]}})");
    f.take(2);
    const json::Document updated = f.result(
        "state.update", R"({"patch":{"camera":{"fps":25},"x":1},"activity":"PROCESSING"})");
    CHECK(updated.root()["result"]["state"].print() == R"({"camera":{"fps":25},"x":1})");
    f.result("state.update", R"({"patch":{"x":null,"camera":{"on":true}}})");
    const json::Document read = f.result("state.get", R"({"node_id":"box-1"})");
    CHECK(read.root()["result"]["state"].print() == R"({"camera":{"fps":25,"on":true}})");
    CHECK(read.root()["result"]["activity"].as_string() == "PROCESSING");
    CHECK(f.result("mesh.node", R"({"node_id":"box-1"})")
              .root()["result"]["state"]["camera"]
              .is_object());
    CHECK(f.result("mesh.nodes", R"({"state":true})")
              .root()["result"]["nodes"]
              .print()
              .find("\"fps\":25") != std::string::npos);
    CHECK_FALSE(f.take(2).empty());
    CHECK(f.code("state.get", R"({"node_id":"box-9"})") == 100);
    CHECK(f.code("mesh.node", R"({"node_id":"box-9"})") == 100);
}

TEST_CASE("service with a node: too large and too deep payloads are refused by their area") {
    Fixture f;
    const std::string large = R"({"text":")" + std::string(70'000, 'x') + "\"}";
    CHECK(f.code("alerts.raise", R"({"alert":)" + large + "}") == 400);
    CHECK(f.code("state.update", R"({"patch":)" + large + "}") == 200);
    const std::string deep = R"({"a":)" + std::string(40, '[') + std::string(40, ']') + "}";
    CHECK(f.code("alerts.raise", R"({"alert":)" + deep + "}") == 400);
    CHECK(f.code("state.update", R"({"patch":)" + deep + "}") == 200);
    CHECK(f.result("alerts.list").root()["result"]["alerts"].size() == 0);
}

TEST_CASE("service with a node: after leaving the local API goes on, discover rejoins") {
    Fixture f;
    CHECK(f.call("mesh.leave") == R"({"jsonrpc":"2.0","result":{"left":true},"id":1})");
    CHECK(f.result("mesh.status").root()["result"]["left"].as_bool() == true);
    CHECK(f.result("mesh.stats").root()["result"]["is_running"].as_bool() == false);
    CHECK(f.code("alerts.raise", R"({"alert":{}})") == 101);
    CHECK(f.call("mesh.discover") == R"({"jsonrpc":"2.0","result":{"discovering":true},"id":1})");
    CHECK(f.result("mesh.status").root()["result"]["left"].as_bool() == false);
}

TEST_CASE("service: the limits of the method table are those of the core") {
    const auto max_of = [](std::string_view method, std::string_view name) {
        for (const ipc::Param& param : ipc::find_method(method)->params) {
            if (param.name == name) {
                return static_cast<std::uint64_t>(param.max);
            }
        }
        return std::uint64_t{0};
    };
    CHECK(max_of("registry.put", "hash") == limits::kHashBytesMax);
    CHECK(max_of("registry.put", "type") == limits::kTypeBytesMax);
    CHECK(max_of("registry.put", "space") == limits::kSpaceBytesMax);
    CHECK(max_of("registry.put", "ttl_ms") == limits::kTtlMsMax);
    CHECK(max_of("registry.put", "timestamp_ms") == limits::kCounterMax);
    CHECK(max_of("registry.put", "entries") == limits::kEntriesPerPutMax);
    CHECK(max_of("registry.get", "hash") == limits::kHashBytesMax);
    CHECK(max_of("state.get", "key") == limits::kSharedKeyBytesMax);
    CHECK(max_of("alerts.raise", "dedupe_key") == limits::kDedupeKeyBytesMax);
    CHECK(max_of("alerts.raise", "ttl_ms") == static_cast<std::uint64_t>(limits::kAlertAgeMsMax));
    for (const ipc::Param& member : ipc::find_method("registry.put")->params.back().members) {
        CAPTURE(member.name);
        CHECK(max_of("registry.put", member.name) == static_cast<std::uint64_t>(member.max));
    }
}

TEST_CASE("service: methods for admins are refused to others before anything happens") {
    Fixture f;
    f.recording();
    f.is_admin = false;
    CHECK(error_text(f, "mesh.leave", "{}") ==
          "901 : mesh.leave is for root, the user meshd runs as, and members of group meshd-admin");
    CHECK(f.code("mesh.forget", R"({"node_id":"box-2"})") == 901);
    CHECK(f.code("store.backup") == 901);
    CHECK(f.code("store.backup", R"({"nope":1})") == 901);
    CHECK(f.code("mesh.status") == 0);
    CHECK(f.mesh.commands.empty());
    CHECK(f.mesh.backup_paths.empty());
}

TEST_CASE("service: forgetting is answered by its output, and refused in clear words") {
    Fixture f;
    CHECK(error_text(f, "mesh.forget", R"({"node_id":"box-9"})") ==
          "100 node_id: no node of this name is known");
    CHECK(error_text(f, "mesh.forget", R"({"node_id":"box-1"})") ==
          "102 node_id: box-1 is this node itself: it cannot be forgotten");
    CHECK(f.code("mesh.forget", "{}") == -32602);
    CHECK(f.code("mesh.forget", R"({"node_id":"no name"})") == -32602);
    f.recording(CommandError{CommandError::Code::NodeAlive, "node_id", "is alive", {}});
    CHECK(f.call("mesh.forget", R"({"node_id":"box-2"})")
              .find(R"("code":102,"message":"is alive",)"
                    R"("data":{"field":"node_id","got":"box-2"})") != std::string::npos);
    f.recording();
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":"f","method":"mesh.forget",)"
                               R"("params":{"node_id":"box-2"}})");
    CHECK(f.take().empty());
    f.service.on_output(Forgotten{RequestId{f.mesh.last_request}, *NodeId::parse("box-2")});
    CHECK(f.take() ==
          Lines{R"({"jsonrpc":"2.0","result":{"node_id":"box-2","forgotten":true},"id":"f"})"});
}

TEST_CASE("service: a backup answers when it is done, or at once") {
    Fixture f;
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":1,"method":"store.backup"})");
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":2,"method":"store.backup",)"
                               R"("params":{"path":"/b"}})");
    CHECK(f.take().empty());
    CHECK(f.service.is_waiting(kClient));
    CHECK(f.mesh.backup_paths == Lines{"", "/b"});
    f.mesh.backups[1](tl::unexpected(std::string("disk full")));
    f.mesh.backups[0](BackupDone{"/s/b", 4096, 3});
    CHECK(f.take() ==
          Lines{R"({"jsonrpc":"2.0","error":{"code":700,"message":"disk full"},"id":2})",
                R"({"jsonrpc":"2.0","result":{"path":"/s/b","bytes":4096,"records":3},"id":1})"});
    CHECK_FALSE(f.service.is_waiting(kClient));
    f.mesh.backup_result = tl::unexpected(std::string("none"));
    CHECK(f.code("store.backup") == 700);
    CHECK(f.code("store.backup", R"({"path":"b"})") == -32602);
}

TEST_CASE("service: a backup that ends after the service is gone harms nobody") {
    StandInMesh mesh;
    {
        RpcService service(mesh, {[](RpcService::ClientId, std::string, bool) { return true; },
                                  [](RpcService::ClientId) { return true; }});
        service.on_line(kClient, R"({"jsonrpc":"2.0","id":1,"method":"store.backup"})");
        REQUIRE(mesh.backups.size() == 1);
    }
    mesh.backups[0](BackupDone{});
}
