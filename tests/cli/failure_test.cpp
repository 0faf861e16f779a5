// SPDX-License-Identifier: Apache-2.0
#include "cli/failure.h"

#include <doctest/doctest.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "tests/cli/fake_daemon.h"

namespace meshd::cli {
namespace {

using Kind = ipc::ClientError::Kind;

ipc::ClientError remote(int code, std::string message, std::string data = "") {
    ipc::ClientError error;
    error.kind = Kind::Remote;
    error.code = code;
    error.message = std::move(message);
    error.data = std::move(data);
    return error;
}

ipc::ClientError no_daemon(std::vector<ipc::SocketAttempt> tried) {
    ipc::ClientError error;
    error.kind = Kind::NoDaemon;
    error.tried = std::move(tried);
    return error;
}

TEST_CASE("failure: without a daemon it names the sockets tried and how to start one") {
    const Failure failure = explain(
        no_daemon({{"/run/meshd/meshd.sock", ENOENT}, {"/u/meshd/meshd.sock", ECONNREFUSED}}));
    CHECK(failure.code == ExitCode::NoDaemon);
    CHECK(failure.text ==
          "no meshd answers\n"
          "  /run/meshd/meshd.sock: no such file\n"
          "  /u/meshd/meshd.sock: nobody listens there\n"
          "start one with\n"
          "  meshd");
}

TEST_CASE("failure: the command that starts one has the socket that was named") {
    CHECK(explain(no_daemon({{"/tmp/a.sock", ENOENT}})).text ==
          "no meshd answers\n"
          "  /tmp/a.sock: no such file\n"
          "start one with\n"
          "  meshd --socket /tmp/a.sock");
}

TEST_CASE("failure: a socket that may not be opened is not permitted, and says which group") {
    const Failure failure = explain(no_daemon({{"/nowhere/meshd.sock", EACCES}}));
    CHECK(failure.code == ExitCode::NotPermitted);
    CHECK(failure.text.find("group 'meshd'") != std::string::npos);
    CHECK(failure.text.find("log in again") != std::string::npos);
}

TEST_CASE("failure: a box that did not answer in time is told from a call that was refused") {
    for (const int code : {103, 104, 601, 602}) {
        CAPTURE(code);
        const Failure failure = explain(remote(
            code, "cam-5 is offline", R"({"field":"node","status":"offline","because":null})"));
        CHECK(failure.code == ExitCode::Partial);
        CHECK(failure.text == "cam-5 is offline");
    }
    CHECK(explain(remote(600, "the note is too large")).code == ExitCode::Refused);
}

TEST_CASE("failure: a socket for its owner alone is not a matter of groups") {
    const FakeDaemon daemon({});
    const std::string path = daemon.path();
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    CHECK(explain(no_daemon({{path, EACCES}})).text.find("and root alone") != std::string::npos);
}

TEST_CASE("failure: a directory that cannot be entered is named, and no group advised") {
    const TemporaryDirectory directory;
    const std::string inner = directory.path() + "/inner";
    std::filesystem::create_directory(inner);
    std::filesystem::permissions(directory.path(), std::filesystem::perms::none);
    // Root enters everywhere; the user id for files alone is enough to be nobody for a while.
    const int user = setfsuid(geteuid() == 0 ? 65534 : geteuid());
    const Failure failure = explain(no_daemon({{inner + "/meshd.sock", EACCES}}));
    setfsuid(static_cast<uid_t>(user));
    std::filesystem::permissions(directory.path(), std::filesystem::perms::owner_all);
    CHECK(failure.code == ExitCode::NotPermitted);
    CHECK(failure.text == "no meshd answers\n  " + inner + "/meshd.sock: permission denied\n" +
                              "the directory " + directory.path() + " is not open to this user");
}

TEST_CASE("failure: where another file was named, no daemon could be started") {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/f";
    std::ofstream(path).put('x');
    for (const int error : {ECONNREFUSED, EACCES}) {
        const Failure failure = explain(no_daemon({{path, error}}));
        CHECK(failure.code == ExitCode::NoDaemon);
        CHECK(failure.text == "no meshd answers\n  " + path + ": is no socket");
    }
}

TEST_CASE("failure: each kind has its exit code") {
    const auto code_of = [](Kind kind) {
        ipc::ClientError error;
        error.kind = kind;
        return explain(error).code;
    };
    CHECK(code_of(Kind::NoDaemon) == ExitCode::NoDaemon);
    CHECK(code_of(Kind::Closed) == ExitCode::NoDaemon);
    CHECK(code_of(Kind::Timeout) == ExitCode::Partial);
    CHECK(code_of(Kind::Interrupted) == ExitCode::Partial);
    CHECK(code_of(Kind::Protocol) == ExitCode::Refused);
    CHECK(code_of(Kind::Remote) == ExitCode::Refused);
}

TEST_CASE("failure: a refusal says what the daemon said, and what to do") {
    CHECK(explain(remote(100, "unknown node", R"({"field":"node_id","got":"x"})")).text ==
          "unknown node, got x");
    CHECK(explain(remote(-32602, "invalid params",
                         R"({"field":"limit","got":"0","expected":"1 to 1000"})"))
              .text == "invalid params: limit, got 0, expected 1 to 1000");
    CHECK(explain(remote(-32602, "limit must be 1 to 1000",
                         R"({"field":"limit","got":"0","expected":"1 to 1000"})"))
              .text == "limit must be 1 to 1000, got 0");
    CHECK(explain(remote(-32601, "no such method", R"({"did_you_mean":"mesh.nodes"})")).text ==
          "no such method; did you mean 'mesh.nodes'?");
    CHECK(explain(remote(900, "overloaded", R"({"retry_after_ms":500})")).text ==
          "overloaded; try again in 500 ms");
    CHECK(explain(remote(101, "has left")).text == "has left\nrejoin with\n  meshctl discover");
    CHECK(explain(remote(901, "not permitted")).code == ExitCode::NotPermitted);
}

TEST_CASE("failure: nothing is said twice") {
    const int params = -32602;
    CHECK(explain(remote(100, "no node of the name nope is known",
                         R"({"field":"node_id","got":"nope"})"))
              .text == "no node of the name nope is known");
    CHECK(explain(remote(302, "embedding has 3 values, 512 are wanted", R"({"got":"object"})"))
              .text == "embedding has 3 values, 512 are wanted");
    CHECK(explain(remote(params, "limit must be 1 to 1000", R"({"field":"limit","got":"10"})"))
              .text == "limit must be 1 to 1000, got 10");
    CHECK(explain(remote(701, "nothing has changed: /m.yaml:1:1: wrong",
                         R"({"problems":["/m.yaml:1:1: wrong"]})"))
              .text == "nothing has changed: /m.yaml:1:1: wrong");
    CHECK(explain(remote(701, "nothing has changed: a (and 1 more)", R"({"problems":["a","b"]})"))
              .text == "nothing has changed: a (and 1 more)\n  b");
    CHECK(explain(remote(101, "this node has left the mesh; mesh.discover rejoins")).text ==
          "this node has left the mesh; meshctl discover rejoins");
}

TEST_CASE("failure: methods of the daemon are told as the verbs that call them") {
    CHECK(explain(remote(703,
                         "no mesh key yet: keys.new makes the first one, keys.join takes one "
                         "over"))
              .text ==
          "no mesh key yet: meshctl key new makes the first one, meshctl key join takes one over");
    CHECK(explain(remote(705, "keys.list shows those it has")).text ==
          "meshctl key ls shows those it has");
}

TEST_CASE("failure: a daemon's words cannot steer the terminal") {
    CHECK(explain(remote(1, "a\x1b[2J", "{\"got\":\"\\u001bc\"}")).text == "a?[2J, got ?c");
}

}  // namespace
}  // namespace meshd::cli
