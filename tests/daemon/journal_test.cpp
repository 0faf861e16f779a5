// SPDX-License-Identifier: Apache-2.0
#include "daemon/journal.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "tests/daemon/temporary_dir.h"

using namespace meshd;

namespace {

/// A journal's socket, and an environment that says that stderr leads there.
struct Listener {
    TemporaryDir dir;
    std::string path = (dir.path() / "journal").string();
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    Listener() {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, path.c_str());
        REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        struct stat info {};
        REQUIRE(fstat(STDERR_FILENO, &info) == 0);
        say(std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino));
    }
    ~Listener() {
        unsetenv("JOURNAL_STREAM");
        close(fd);
    }
    static void say(const std::string& stream) { setenv("JOURNAL_STREAM", stream.c_str(), 1); }
    std::string next() const {
        std::array<char, 4096> bytes{};
        const ssize_t size = recv(fd, bytes.data(), bytes.size(), 0);
        return {bytes.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
    }
};

}  // namespace

TEST_CASE("journal: a line comes with its level and fields") {
    const Listener listener;
    auto journal = Journal::behind_stderr(listener.path.c_str());
    REQUIRE(journal);
    journal->write(6, "link.up cam-2", {{"MESHD_PEER", "cam-2"}, {"MESHD_EVENT", "link.up"}});
    CHECK(listener.next() ==
          "PRIORITY=6\nSYSLOG_IDENTIFIER=meshd\nMESSAGE=link.up cam-2\nMESHD_PEER=cam-2\n"
          "MESHD_EVENT=link.up\n");
}

TEST_CASE("journal: a value of several lines cannot pose as another field") {
    CHECK(encode_journal_entry({{"MESSAGE", "a\nPRIORITY=0"}}) ==
          std::string("MESSAGE\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\n", 29));
}

TEST_CASE("journal: where stderr leads elsewhere, lines go there") {
    const Listener listener;
    Listener::say("1:1");
    CHECK_FALSE(Journal::behind_stderr(listener.path.c_str()));
    unsetenv("JOURNAL_STREAM");
    CHECK_FALSE(Journal::behind_stderr(listener.path.c_str()));
}

TEST_CASE("journal: where nothing listens, lines go to stderr") {
    const Listener listener;
    CHECK_FALSE(Journal::behind_stderr((listener.dir.path() / "none").c_str()));
}

TEST_CASE("journal: one that hangs holds nothing up, and is told what it missed") {
    const Listener listener;
    auto journal = Journal::behind_stderr(listener.path.c_str());
    REQUIRE(journal);
    constexpr unsigned kMoreThanItsQueue = 100'000;
    unsigned written = 0;
    while (journal->lost() < 2 && written < kMoreThanItsQueue) {
        journal->write(6, "line", {});
        ++written;
    }
    REQUIRE(journal->lost() == 2);
    while (!listener.next().empty()) {
    }
    journal->write(6, "after", {});
    CHECK(listener.next().find("MESSAGE=after (2 lines before this one are lost)\n") !=
          std::string::npos);
    journal->write(6, "and on", {});
    CHECK(listener.next().find("MESSAGE=and on\n") != std::string::npos);
}
