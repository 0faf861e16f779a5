// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "tests/daemon/rpc_fixture.h"

using namespace meshd;
using namespace meshd::rpc_test;

namespace {

std::string text_of(const json::Value& value) {
    return std::string(value.as_string().value_or(""));
}

/// Makes the first key; its id.
KeyId make_first(Fixture& f) {
    const auto made = f.result("keys.new");
    return *parse_key_id(text_of(made.root()["result"]["id"]));
}

std::string with_token(const MeshKey& key) {
    return R"({"token":")" + print_key_token(key) + "\"}";
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

/// "703 message"
std::string error_of(Fixture& f, std::string_view method, const std::string& params = "{}") {
    const std::string line = f.call(method, params);
    CHECK_FALSE(has(line, "mesh1-0"));
    const auto document = json::Document::parse(line, json::Limits{});
    const json::Value error = document->root()["error"];
    return std::to_string(error["code"].as_int().value_or(0)) + " " + text_of(error["message"]);
}

}  // namespace

TEST_CASE("keys: the first key is made once, kept and active, and its token joins another node") {
    Fixture f;
    Fixture other;
    const auto made = f.result("keys.new");
    const json::Value result = made.root()["result"];
    CHECK(result["generation"].as_int() == 1);
    CHECK(f.keys.kept.ring.keys.size() == 1);
    CHECK(print_key_id(f.keys.kept.ring.active) == text_of(result["id"]));
    CHECK(f.keys.kept.origins.begin()->second == KeyOrigin::Created);
    CHECK(has(error_of(f, "keys.new"), "703 this node has a mesh key already ("));

    const std::string params = R"({"token":")" + text_of(result["token"]) + "\"}";
    const auto joined = other.result("keys.join", params);
    CHECK(joined.root()["result"].print() == R"({"id":")" + text_of(result["id"]) +
                                                 R"(","generation":1,"active":true,"added":true,)"
                                                 R"("mode":"sealed"})");
    CHECK(other.keys.kept.ring == f.keys.kept.ring);
    CHECK(other.keys.kept.origins.begin()->second == KeyOrigin::Joined);
    CHECK(other.result("keys.join", params).root()["result"]["added"].as_bool() == false);
}

TEST_CASE("keys: a wrong token is refused with the reason, and another mesh's key with advice") {
    Fixture f;
    const std::string token = print_key_token(f.keys.draw_key(1));
    CHECK(error_of(f, "keys.join", R"({"token":"hello"})") ==
          "702 this is no token of a mesh key: a token begins with mesh1-");
    CHECK(error_of(f, "keys.join", R"({"token":")" + token.substr(0, 40) + "\"}") ==
          "702 this is no token of a mesh key: too short: 34 of 69 letters and digits");
    CHECK(error_of(f, "keys.replace", R"({"token":"mesh1-!"})") ==
          "702 this is no token of a mesh key: character 7 is none that a token has");
    CHECK(f.keys.kept.ring.empty());
    make_first(f);
    const Keyring before = f.keys.kept.ring;
    const std::string error = error_of(f, "keys.join", with_token(f.keys.draw_key(1)));
    CHECK(has(error, "703 the key "));
    CHECK(has(error, "; keys.replace leaves the keys held now for this one"));
    CHECK(has(error, "belongs to another mesh than"));
    CHECK(f.keys.kept.ring == before);
}

TEST_CASE(
    "keys: a newer key waits where there are links, and is used at once where there are none") {
    for (const bool is_linked : {false, true}) {
        Fixture f;
        make_first(f);
        f.keys.is_linked = is_linked;
        const MeshKey newer = f.keys.draw_key(f.keys.kept.ring.newest_generation() + 1);
        const auto joined = f.result("keys.join", with_token(newer));
        CHECK(joined.root()["result"]["active"].as_bool() == !is_linked);
        CHECK((f.keys.kept.ring.active == key_id(newer)) == !is_linked);
        CHECK(f.keys.kept.ring.keys.size() == 2);
    }
}

TEST_CASE("keys: an older key is held to hear those who still have it, never used") {
    Fixture f;
    const MeshKey older = f.keys.draw_key(1);
    const MeshKey newer = f.keys.draw_key(2);
    f.result("keys.join", with_token(newer));
    const auto joined = f.result("keys.join", with_token(older));
    CHECK(joined.root()["result"]["active"].as_bool() == false);
    CHECK(f.keys.kept.ring.active == key_id(newer));
}

TEST_CASE("keys: the list shows who holds which key, and tokens only where asked") {
    Fixture f;
    CHECK(f.result("keys.list").root()["result"].print() ==
          R"({"mode":"sealed","active":null,"rotating":false,"keys":[]})");
    const KeyId id = make_first(f);
    f.keys.add_holder("box-2").keys = {id};
    f.keys.add_holder("box-3", NodeStatus::Offline);
    const std::string name = print_key_id(id);
    CHECK(f.result("keys.list").root()["result"].print() ==
          R"({"mode":"sealed","active":")" + name + R"(","rotating":false,"keys":[{"id":")" + name +
              R"(","generation":1,"active":true,"origin":"created","confirmed":2,"nodes":3,)"
              R"("lacking":[{"node_id":"box-3","status":"offline"}]}]})");
    const auto secret = f.result("keys.list", R"({"secrets":true})");
    const std::string token = text_of((*secret.root()["result"]["keys"].begin())["token"]);
    CHECK(parse_key_token(token) == f.keys.kept.ring.keys[0]);
}

TEST_CASE("keys: a rotation adds a key that is not active yet, one at a time") {
    Fixture f;
    CHECK(has(error_of(f, "keys.rotate"), "703 this node has no mesh key yet"));
    const KeyId first = make_first(f);
    f.keys.add_holder("box-2").keys = {first};
    f.keys.add_holder("box-3", NodeStatus::Offline).keys = {first};
    const auto rotated = f.result("keys.rotate");
    const json::Value result = rotated.root()["result"];
    CHECK(result["generation"].as_int() == 2);
    CHECK(result["lacking"].size() == 2);
    CHECK(parse_key_token(text_of(result["token"])) == f.keys.kept.ring.keys[1]);
    CHECK(f.keys.kept.ring.active == first);
    CHECK(f.result("keys.list").root()["result"]["rotating"].as_bool() == true);
    CHECK(error_of(f, "keys.rotate") == "703 a rotation is under way: it waits for box-2");

    Keyring ring = f.keys.kept.ring;
    ring.activate(key_id(ring.keys[1]));
    f.keys.kept.ring = ring;
    CHECK(f.result("keys.list").root()["result"]["rotating"].as_bool() == false);
    f.result("keys.rotate");
    ring = f.keys.kept.ring;
    ring.activate(key_id(ring.keys[2]));
    f.keys.kept.ring = ring;
    f.keys.mode = "open";
    CHECK(error_of(f, "keys.rotate") ==
          "703 a key spreads over sealed links alone, and security.mode is open");
    f.keys.mode = "mixed";
    f.result("keys.rotate");
    ring = f.keys.kept.ring;
    ring.activate(key_id(ring.keys[3]));
    f.keys.kept.ring = ring;
    CHECK(error_of(f, "keys.rotate") ==
          "703 the keyring is full (4 keys): remove an old one first");
}

TEST_CASE("keys: no generation follows the last one") {
    Fixture f;
    f.result("keys.join", with_token(f.keys.draw_key(UINT32_MAX)));
    CHECK(has(error_of(f, "keys.rotate"), "703 no generation is left above 65535"));
}

TEST_CASE("keys: the active key stays, and an old one while a known node lacks the active one") {
    Fixture f;
    const KeyId first = make_first(f);
    f.result("keys.rotate");
    const KeyId second = key_id(f.keys.kept.ring.keys[1]);
    const std::string old = R"({"id":")" + print_key_id(first) + "\"}";
    CHECK(has(error_of(f, "keys.remove", old), "703 this key is the active one"));
    CHECK(has(error_of(f, "keys.remove", R"({"id":")" + print_key_id(second) + "\"}"),
              "703 this key is about to become the active one"));
    CHECK(has(error_of(f, "keys.remove", R"({"id":"00000001"})"), "705 "));
    CHECK(has(error_of(f, "keys.remove", R"({"id":"xyz"})"), "705 "));
    const KeptKeys before = f.keys.kept;
    f.result("keys.remove", R"({"force":true,"id":")" + print_key_id(second) + "\"}");
    CHECK(f.keys.kept.ring.keys.size() == 1);
    f.keys.kept = before;
    REQUIRE(f.keys.kept.ring.activate(second));
    f.keys.add_holder("box-2").keys = {first, second};
    f.keys.add_holder("box-3", NodeStatus::Offline).keys = {first};
    f.keys.add_holder("box-4", NodeStatus::Left).keys = {first};
    CHECK(error_of(f, "keys.remove", old) ==
          "704 without this key could not return: box-3 (offline), box-4 (left); the active key " +
              print_key_id(second) + " is lacking there");
    CHECK(has(f.call("keys.remove", old), R"-("problems":["box-3 (offline)","box-4 (left)"])-"));
    CHECK(f.keys.kept.ring.keys.size() == 2);
    const auto removed =
        f.result("keys.remove", R"({"force":true,"id":")" + print_key_id(first) + "\"}");
    CHECK(removed.root()["result"]["lacking"].size() == 2);
    CHECK(f.keys.kept.ring.keys.size() == 1);
    CHECK(f.keys.kept.origins.size() == 1);
}

TEST_CASE("keys: replacing leaves one key, which nobody joins by mistake beside the old one") {
    Fixture f;
    Fixture other;
    const KeyId first = make_first(f);
    other.result("keys.join", with_token(f.keys.kept.ring.keys[0]));
    f.result("keys.rotate");
    other.result("keys.join", with_token(f.keys.kept.ring.keys[1]));
    const KeyId second = key_id(f.keys.kept.ring.keys[1]);
    const auto replaced = f.result("keys.replace");
    const json::Value result = replaced.root()["result"];
    CHECK(result["removed"].print() ==
          R"([")" + print_key_id(first) + R"(",")" + print_key_id(second) + R"("])");
    REQUIRE(f.keys.kept.ring.keys.size() == 1);
    CHECK(f.keys.kept.ring.active == key_id(f.keys.kept.ring.keys[0]));
    const std::string params = R"({"token":")" + text_of(result["token"]) + "\"}";
    CHECK(has(error_of(other, "keys.join", params), "703 "));
    CHECK(other.result("keys.replace", params).root()["result"]["id"].as_string() ==
          print_key_id(f.keys.kept.ring.active));
    CHECK(other.keys.kept.ring == f.keys.kept.ring);
    // Once more changes nothing.
    CHECK(other.result("keys.replace", params).root()["result"]["removed"].size() == 0);
}

TEST_CASE("keys: a change is answered once it is kept, and none begins before") {
    Fixture f;
    f.keys.is_quick = false;
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":1,"method":"keys.new"})");
    CHECK(f.take().empty());
    CHECK(f.service.is_waiting(kClient));
    CHECK(error_of(f, "keys.new") == "703 another change of the keys is being written: try again");
    CHECK(f.result("keys.list").root()["result"]["keys"].size() == 0);
    f.keys.finish("/s/keyring cannot be written: No space left on device");
    const auto lines = f.take();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0] == R"({"jsonrpc":"2.0","error":{"code":706,"message":"nothing has changed: )"
                      R"(/s/keyring cannot be written: No space left on device"},"id":1})");
    CHECK(f.keys.kept.ring.empty());
}

TEST_CASE("keys: others than admins learn and change nothing, and the log has no token") {
    Fixture f;
    make_first(f);
    f.is_admin = false;
    f.writes.clear();
    const Keyring before = f.keys.kept.ring;
    for (const char* method : {"keys.new", "keys.list", "keys.rotate", "keys.replace"}) {
        CHECK(f.code(method) == 901);
    }
    CHECK(f.code("keys.list", R"({"secrets":true})") == 901);
    CHECK(f.code("keys.join", with_token(f.keys.draw_key(2))) == 901);
    CHECK(f.code("keys.remove", R"({"id":"00000001"})") == 901);
    CHECK(f.keys.kept.ring == before);
    CHECK(f.writes.size() == 7);
    for (const std::string& line : f.writes) {
        CHECK(line.ends_with(" refused"));
        CHECK_FALSE(has(line, "mesh1-0"));
    }
}

TEST_CASE("keys: whoever changes the key is told the mode, which may make nothing of it") {
    Fixture f;
    f.keys.mode = "open";
    const auto mode_of = [](const json::Document& reply) {
        return text_of(reply.root()["result"]["mode"]);
    };
    const auto made = f.result("keys.new");
    CHECK(mode_of(made) == "open");
    const std::string params = R"({"token":")" + text_of(made.root()["result"]["token"]) + "\"}";
    CHECK(mode_of(f.result("keys.join", params)) == "open");
    f.keys.mode = "mixed";
    CHECK(mode_of(f.result("keys.replace")) == "mixed");
}
