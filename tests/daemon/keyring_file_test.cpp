// SPDX-License-Identifier: Apache-2.0
#include "daemon/keyring_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include <doctest/doctest.h>

#include "daemon/keyring_keeper.h"
#include "tests/daemon/temporary_dir.h"

using namespace meshd;

namespace {

namespace fs = std::filesystem;

KeptKeys two_keys() {
    Prng prng(Entropy{1});
    KeptKeys keys;
    REQUIRE(keys.ring.add(make_mesh_key(prng, 1)));
    REQUIRE(keys.ring.add(make_mesh_key(prng, 2)));
    keys.origins[key_id(keys.ring.keys[0])] = KeyOrigin::Joined;
    keys.origins[key_id(keys.ring.keys[1])] = KeyOrigin::Received;
    return keys;
}

std::string read_file(const fs::path& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

mode_t mode_of(const fs::path& path) {
    struct stat info {};
    REQUIRE(stat(path.c_str(), &info) == 0);
    return info.st_mode & 07777U;
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("keyring file: what is stored is loaded, readable by its owner alone") {
    const TemporaryDir dir;
    const fs::path path = dir.path() / "keyring";
    CHECK(load_keyring(path) == KeptKeys{});
    const KeptKeys keys = two_keys();
    CHECK(store_keyring(path, keys).empty());
    CHECK(mode_of(path) == 0600);
    CHECK_FALSE(fs::exists(path.string() + ".new"));
    const auto loaded = load_keyring(path);
    REQUIRE(loaded);
    CHECK(*loaded == keys);
    CHECK(store_keyring(path, KeptKeys{}).empty());
    CHECK(load_keyring(path) == KeptKeys{});
}

TEST_CASE("keyring file: a fresh file left by a crash, open to all, does not matter") {
    const TemporaryDir dir;
    const fs::path path = dir.path() / "keyring";
    const fs::path fresh = dir.write("keyring.new", "half");
    REQUIRE(chmod(fresh.c_str(), 0666) == 0);
    CHECK(store_keyring(path, two_keys()).empty());
    CHECK(mode_of(path) == 0600);
    CHECK(load_keyring(path) == two_keys());
}

TEST_CASE(
    "keyring file: one that others may read or write is refused with the command that mends") {
    const TemporaryDir dir;
    const fs::path path = dir.path() / "keyring";
    REQUIRE(store_keyring(path, two_keys()).empty());
    for (const mode_t mode : {0640U, 0604U, 0620U, 0602U, 0610U, 0601U}) {
        REQUIRE(chmod(path.c_str(), mode) == 0);
        const auto loaded = load_keyring(path);
        REQUIRE_FALSE(loaded);
        CHECK(has(loaded.error(), " has mode 06"));
        CHECK(has(loaded.error(), "chmod 600 " + path.string()));
    }
    REQUIRE(chmod(path.c_str(), 0400) == 0);
    CHECK(load_keyring(path) == two_keys());
}

TEST_CASE("keyring file: another user's, a link and what is no file are refused") {
    const TemporaryDir dir;
    const fs::path path = dir.path() / "keyring";
    const fs::path elsewhere = dir.path() / "elsewhere";
    REQUIRE(store_keyring(elsewhere, two_keys()).empty());
    fs::create_symlink(elsewhere, path);
    auto loaded = load_keyring(path);
    REQUIRE_FALSE(loaded);
    CHECK(has(loaded.error(), "is a symbolic link"));
    fs::remove(path);
    fs::create_directory(path);
    loaded = load_keyring(path);
    REQUIRE_FALSE(loaded);
    CHECK(has(loaded.error(), "is no regular file"));
    fs::remove(path);
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    loaded = load_keyring(path);
    REQUIRE_FALSE(loaded);
    CHECK(has(loaded.error(), "is no regular file"));
    fs::remove(path);
    if (geteuid() == 0) {
        REQUIRE(store_keyring(path, two_keys()).empty());
        REQUIRE(chown(path.c_str(), 4711, 0) == 0);
        loaded = load_keyring(path);
        REQUIRE_FALSE(loaded);
        CHECK(has(loaded.error(), "belongs to user 4711, and meshd runs as 0"));
        CHECK(has(loaded.error(), "chown 0 " + path.string()));
    }
}

TEST_CASE("keyring file: damage is named by line and reason, without the token, and stays") {
    const TemporaryDir dir;
    const std::string text = print_keyring(two_keys());
    struct Damage {
        std::string text;
        const char* error;
    };
    std::string wrong_letter = text;
    const std::size_t letter = text.find("active mesh1-") + 20;
    wrong_letter[letter] = text[letter] == '3' ? '4' : '3';
    const std::string second = text.substr(text.find("\nheld ") + 1);
    const std::string first =
        text.substr(text.find("active "), text.find("\nheld ") + 1 - text.find("active "));
    for (const Damage& damage : {
             Damage{wrong_letter, ":2: the token: the checksum differs"},
             Damage{"nonsense\n", ":1: expected `active TOKEN ORIGIN`"},
             Damage{"\n# x\nheld mesh1-abc joined\n", ":3: the token: too short"},
             Damage{text + second, ":4: the key is there twice"},
             Damage{second, ":1: no key is active"},
             Damage{first + "active" + second.substr(4), ":2: a second active key"},
             Damage{first.substr(0, first.rfind(' ')) + " stolen\n", ":1: the origin is none of"},
             Damage{std::string(10'000, '#'), ": longer than 8192 bytes"},
             Damage{std::string("active mesh1-\0\0 created", 23), ":1: the token: character"},
         }) {
        CAPTURE(damage.error);
        const fs::path path = dir.write("keyring", damage.text);
        REQUIRE(chmod(path.c_str(), 0600) == 0);
        const auto loaded = load_keyring(path);
        REQUIRE_FALSE(loaded);
        CHECK(has(loaded.error(), path.string() + damage.error));
        CHECK_FALSE(has(loaded.error(), "mesh1-"));
        CHECK(read_file(path) == damage.text);
    }
}

TEST_CASE("keyring file: any cut of it loads as damage or as fewer keys, never as others") {
    const std::string text = print_keyring(two_keys());
    for (std::size_t size = 0; size < text.size(); ++size) {
        const auto keys = parse_keyring(std::string_view(text).substr(0, size));
        if (keys) {
            for (const MeshKey& key : keys->ring.keys) {
                CHECK(two_keys().ring.find(key_id(key)) != nullptr);
            }
        }
    }
}

TEST_CASE("keyring file: where it cannot be written the old one stays and the reason is told") {
    const TemporaryDir dir;
    CHECK(has(store_keyring(dir.path() / "none" / "keyring", two_keys()),
              "keyring cannot be written: No such file"));
    const fs::path path = dir.path() / "keyring";
    fs::create_directories(path / "in the way");
    CHECK(has(store_keyring(path, two_keys()), "keyring cannot be written: "));
    CHECK_FALSE(fs::exists(path.string() + ".new"));
}

TEST_CASE("keyring keeper: keys are written beside the loop, and are the kept ones afterwards") {
    const TemporaryDir dir;
    uv_loop_t loop;
    REQUIRE(uv_loop_init(&loop) == 0);
    std::vector<std::string> told;
    {
        KeyringKeeper keeper(&loop, dir.path() / "keyring", {});
        keeper.store(two_keys(), [&](const std::string& trouble) { told.push_back(trouble); });
        CHECK(keeper.is_busy());
        CHECK(keeper.kept() == KeptKeys{});
        uv_run(&loop, UV_RUN_DEFAULT);
        CHECK_FALSE(keeper.is_busy());
        CHECK(keeper.kept() == two_keys());
        fs::remove_all(dir.path() / "keyring");
        fs::create_directories(dir.path() / "keyring" / "in the way");
        keeper.store({}, [&](const std::string& trouble) { told.push_back(trouble); });
        uv_run(&loop, UV_RUN_DEFAULT);
        CHECK(keeper.kept() == two_keys());
        keeper.store({}, [&](const std::string&) { FAIL("the keeper is gone"); });
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    REQUIRE(told.size() == 2);
    CHECK(told[0].empty());
    CHECK(has(told[1], "cannot be written"));
    CHECK(uv_loop_close(&loop) == 0);
}

TEST_CASE("keyring file: new keys take the origin that is said, known ones keep theirs") {
    KeptKeys before;
    const KeptKeys both = two_keys();
    REQUIRE(before.ring.add(both.ring.keys[0]));
    before.origins[key_id(both.ring.keys[0])] = KeyOrigin::Created;
    const KeptKeys after = before.with(both.ring, KeyOrigin::Received);
    CHECK(after.ring == both.ring);
    CHECK(after.origins.at(key_id(both.ring.keys[0])) == KeyOrigin::Created);
    CHECK(after.origins.at(key_id(both.ring.keys[1])) == KeyOrigin::Received);
    CHECK(after.with(before.ring, KeyOrigin::Joined).origins.size() == 1);
}
