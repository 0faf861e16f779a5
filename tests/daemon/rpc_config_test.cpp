// SPDX-License-Identifier: Apache-2.0
#include "tests/daemon/rpc_fixture.h"

using namespace meshd;
using namespace meshd::rpc_test;

TEST_CASE("service: config.get shows value, default and origin of each key") {
    Fixture f;
    const auto all = f.result("config.get");
    CHECK(all.root()["result"].print() ==
          R"({"keys":[{"key":"mesh.max_peers","value":6,"default":10,"origin":"file",)"
          R"("place":"/m.yaml:2:14","live":true,"pending":null},{"key":"log.level",)"
          R"("value":"info","default":"info","origin":"default","place":null,"live":true,)"
          R"("pending":null}],"files":["/m.yaml"]})");
}

TEST_CASE("service: config.get of one key or section, and of none with a suggestion") {
    Fixture f;
    CHECK(f.result("config.get", R"({"key":"mesh"})").root()["result"]["keys"].size() == 1);
    CHECK(f.result("config.get", R"({"key":"log.level"})").root()["result"]["keys"].size() == 1);
    CHECK(f.call("config.get", R"({"key":"mesh.max_peer"})") ==
          R"({"jsonrpc":"2.0","error":{"code":-32602,"message":"key must be )"
          R"(a configuration key","data":{"field":"key","got":"mesh.max_peer",)"
          R"("expected":"a configuration key","did_you_mean":"mesh.max_peers"}},"id":1})");
}

TEST_CASE("service: config.reload says what is in force and what needs a restart") {
    Fixture f;
    f.config.reload_result = ConfigReload{{"log.level"}, {"mesh.mtu"}, 21};
    CHECK(f.result("config.reload").root()["result"].print() ==
          R"({"applied":["log.level"],"restart":["mesh.mtu"],"unchanged":21})");
    f.config.reload_result = tl::unexpected(std::vector<std::string>{"a.yaml:1:1: x", "b: y"});
    CHECK(f.call("config.reload") ==
          R"({"jsonrpc":"2.0","error":{"code":701,"message":"nothing has changed: )"
          R"-(a.yaml:1:1: x (and 1 more)","data":{"problems":["a.yaml:1:1: x","b: y"]}},"id":1})-");
}

TEST_CASE("service: mesh.status warns of what is wrong on disk, and of no interface once") {
    Fixture f;
    const auto warnings = [&] {
        return f.result("mesh.status").root()["result"]["warnings"].print();
    };
    CHECK(warnings() == R"(["no usable network interface"])");
    f.mesh.troubles = {"no usable network interface: waiting for one"};
    f.config.troubles = {"the configuration on disk is wrong"};
    CHECK(warnings() == R"(["no usable network interface: waiting for one",)"
                        R"("the configuration on disk is wrong"])");
}

TEST_CASE("service: only admins reload and change what is logged") {
    Fixture f;
    f.is_admin = false;
    CHECK(f.code("config.reload") == 901);
    CHECK(f.code("log.level", R"({"level":"debug"})") == 901);
    CHECK(f.config.reloads == 0);
    CHECK(f.config.level == LogLevel::Info);
    CHECK(f.code("config.get") == 0);
}

TEST_CASE("service: log.level tells and sets the level") {
    Fixture f;
    CHECK(f.result("log.level").root()["result"].print() == R"({"level":"info","before":"info"})");
    CHECK(f.result("log.level", R"({"level":"debug"})").root()["result"].print() ==
          R"({"level":"debug","before":"info"})");
    CHECK(f.config.level == LogLevel::Debug);
    CHECK(f.code("log.level", R"({"level":"loud"})") == -32602);
}
