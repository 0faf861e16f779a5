// SPDX-License-Identifier: Apache-2.0
#include "daemon/state_dir.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/daemon/temporary_dir.h"

using namespace meshd;

namespace {

HardwareMarks marks(std::vector<std::string> lasting, std::string passing = "") {
    return {std::move(lasting), std::move(passing)};
}

/// One installation, started again and again on what `hardware` says.
struct Box {
    TemporaryDir dir;
    tl::expected<StateDir, std::string> state = StateDir::open(dir.path());

    Installation start(const HardwareMarks& hardware, std::uint64_t fresh) const {
        REQUIRE(state);
        auto loaded = load_installation(*state, hardware, InstanceId{fresh});
        REQUIRE(loaded);
        return *loaded;
    }
};

}  // namespace

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
    const Box box;
    const Installation first = box.start(marks({"hw-1"}), 11);
    CHECK(first.instance == InstanceId{11});
    CHECK(first.name_id == "hw-1");
    CHECK(first.notice.empty());
    const Installation again = box.start(marks({"hw-1"}), 12);
    CHECK(again.instance == InstanceId{11});
    CHECK(again.notice.empty());
}

TEST_CASE("state directory: data copied to other hardware get a new instance id") {
    const Box box;
    box.start(marks({"hw-1", "mac-1"}), 11);
    const Installation copied = box.start(marks({"hw-2", "mac-2"}), 12);
    CHECK(copied.instance == InstanceId{12});
    CHECK(copied.name_id == "hw-2");
    CHECK(copied.notice.find("other hardware") != std::string::npos);
    CHECK(box.start(marks({"hw-2"}), 13).instance == InstanceId{12});
}

TEST_CASE(
    "state directory: hardware stays the same whatever marks come and go beside the kept one") {
    const Box box;
    box.start(marks({"mac-1"}), 11);
    for (const HardwareMarks& now : {marks({"adapter", "mac-1"}), marks({"serial", "mac-1"}),
                                     marks({}, "random"), marks({})}) {
        const Installation same = box.start(now, 12);
        CHECK(same.instance == InstanceId{11});
        CHECK(same.name_id == "mac-1");
        CHECK(same.notice.empty());
    }
    // What was kept is the lasting mark still.
    CHECK(box.start(marks({"mac-2"}), 13).instance == InstanceId{13});
}

TEST_CASE("state directory: a mark that comes after the first start is kept, the name stays") {
    const Box box;
    CHECK(box.start(marks({}, "passing"), 11).name_id == "passing");
    const Installation later = box.start(marks({}, "another"), 12);
    CHECK(later.instance == InstanceId{11});
    CHECK(later.name_id == "passing");
    const Installation marked = box.start(marks({"mac-1"}, "mac-1"), 13);
    CHECK(marked.instance == InstanceId{11});
    CHECK(marked.name_id == "passing");
    CHECK(box.start(marks({"mac-2"}), 14).instance == InstanceId{14});
}

TEST_CASE("state directory: without any mark there is no name, until there is one") {
    const Box box;
    CHECK(box.start(marks({}), 11).name_id.empty());
    const Installation marked = box.start(marks({"mac-1"}), 12);
    CHECK(marked.instance == InstanceId{11});
    CHECK(marked.name_id == "mac-1");
}

TEST_CASE("state directory: an identity that cannot be read is left alone and ends the start") {
    const Box box;
    REQUIRE(box.state);
    std::filesystem::create_directory(box.dir.path() / "identity.json");
    const auto loaded = load_installation(*box.state, marks({"hw-1"}), InstanceId{21});
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().find("cannot read") != std::string::npos);
    CHECK(loaded.error().find("identity.json") != std::string::npos);
    CHECK(std::filesystem::is_directory(box.dir.path() / "identity.json"));
    CHECK_FALSE(std::filesystem::exists(box.dir.path() / "identity.json.broken"));
}

TEST_CASE("state directory: a broken identity is set aside and replaced") {
    for (const char* text : {"", "not json", "{}", "{\"instance\":\"0\"}",
                             "{\"instance\":\"0000000000000000\",\"hardware_id\":\"hw-1\"}",
                             "{\"instance\":7,\"hardware_id\":\"hw-1\"}"}) {
        CAPTURE(text);
        const Box box;
        box.dir.write("identity.json", text);
        const Installation identity = box.start(marks({"hw-1"}), 21);
        CHECK(identity.instance == InstanceId{21});
        CHECK(identity.notice.find("set aside") != std::string::npos);
        CHECK(std::filesystem::exists(box.dir.path() / "identity.json.broken"));
        CHECK(box.start(marks({"hw-1"}), 22).instance == InstanceId{21});
    }
}
