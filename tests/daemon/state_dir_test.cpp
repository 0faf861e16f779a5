// SPDX-License-Identifier: Apache-2.0
#include "daemon/state_dir.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/daemon/temporary_dir.h"

using namespace meshd;

TEST_CASE("state directory: is created for its user alone and locked") {
    const TemporaryDir dir;
    const auto path = dir.path() / "a" / "b";
    const auto first = StateDir::open(path);
    REQUIRE(first);
    CHECK(first->is_writable());
    struct stat info {};
    REQUIRE(stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0700);

    const auto second = StateDir::open(path);
    REQUIRE_FALSE(second);
    CHECK(second.error().find("in use by pid " + std::to_string(getpid())) != std::string::npos);
}

TEST_CASE("state directory: the lock ends with its holder") {
    const TemporaryDir dir;
    { REQUIRE(StateDir::open(dir.path())); }
    CHECK(StateDir::open(dir.path()));
}

TEST_CASE("state directory: a path through a file is an error with what to do") {
    const TemporaryDir dir;
    const auto file = dir.write("file", "x");
    const auto opened = StateDir::open(file / "sub");
    REQUIRE_FALSE(opened);
    CHECK(opened.error().find("--state-dir") != std::string::npos);
}

TEST_CASE("state directory: the instance id is kept over restarts") {
    const TemporaryDir dir;
    const auto state = StateDir::open(dir.path());
    REQUIRE(state);
    const Installation first = load_installation(*state, "hw-1", InstanceId{11});
    CHECK(first.instance == InstanceId{11});
    CHECK(first.notice.empty());
    const Installation again = load_installation(*state, "hw-1", InstanceId{12});
    CHECK(again.instance == InstanceId{11});
    CHECK(again.notice.empty());
}

TEST_CASE("state directory: data copied to other hardware get a new instance id") {
    const TemporaryDir dir;
    const auto state = StateDir::open(dir.path());
    REQUIRE(state);
    load_installation(*state, "hw-1", InstanceId{11});
    const Installation copied = load_installation(*state, "hw-2", InstanceId{12});
    CHECK(copied.instance == InstanceId{12});
    CHECK(copied.notice.find("other hardware") != std::string::npos);
    CHECK(load_installation(*state, "hw-2", InstanceId{13}).instance == InstanceId{12});
}

TEST_CASE("state directory: a broken identity is set aside and replaced") {
    for (const char* text : {"", "not json", "{}", "{\"instance\":\"0\"}",
                             "{\"instance\":\"0000000000000000\",\"hardware_id\":\"hw-1\"}",
                             "{\"instance\":7,\"hardware_id\":\"hw-1\"}"}) {
        CAPTURE(text);
        const TemporaryDir dir;
        const auto state = StateDir::open(dir.path());
        REQUIRE(state);
        dir.write("identity.json", text);
        const Installation identity = load_installation(*state, "hw-1", InstanceId{21});
        CHECK(identity.instance == InstanceId{21});
        CHECK(identity.notice.find("set aside") != std::string::npos);
        CHECK(std::filesystem::exists(dir.path() / "identity.json.broken"));
        CHECK(load_installation(*state, "hw-1", InstanceId{22}).instance == InstanceId{21});
    }
}
