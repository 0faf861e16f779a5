// SPDX-License-Identifier: Apache-2.0
// What the node wants kept, and what an operator does meanwhile (KeyringWanted beside meshctl key).
#include "daemon/keyring_keeper.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/daemon/temporary_dir.h"

using namespace meshd;

namespace {

struct Fixture {
    TemporaryDir directory;
    uv_loop_t loop{};
    Prng prng{Entropy{3}};
    const MeshKey old_key = make_mesh_key(prng, 1);
    const MeshKey granted = make_mesh_key(prng, 2);
    const MeshKey by_hand = make_mesh_key(prng, 2);
    std::vector<std::string> told;
    KeyringKeeper keeper{(uv_loop_init(&loop), &loop), directory.path() / "keyring",
                         KeptKeys{}.with(ring_of({old_key}), KeyOrigin::Created)};

    ~Fixture() {
        uv_run(&loop, UV_RUN_DEFAULT);
        CHECK(uv_loop_close(&loop) == 0);
    }
    static Keyring ring_of(const std::vector<MeshKey>& keys) {
        Keyring ring;
        for (const MeshKey& key : keys) {
            REQUIRE(ring.add(key));
        }
        return ring;
    }
    void store(const Keyring& ring, KeyOrigin origin) {
        keeper.store(keeper.kept().with(ring, origin),
                     [this](const std::string& trouble) { told.push_back(trouble); });
    }
    void finish() { uv_run(&loop, UV_RUN_DEFAULT); }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "keyring keeper: what the node wants follows what it was made from") {
    const Keyring before = keeper.kept().ring;
    CHECK(keeper.may_follow(before));
    store(ring_of({old_key, granted}), KeyOrigin::Received);
    finish();
    CHECK(told == std::vector<std::string>{""});
    CHECK(keeper.kept().ring == ring_of({old_key, granted}));
}

TEST_CASE_FIXTURE(Fixture, "keyring keeper: a key by hand is not undone by what was under way") {
    const Keyring before = keeper.kept().ring;
    // The node has asked for its ring; before the loop gets to it, an operator replaces the key.
    store(ring_of({by_hand}), KeyOrigin::Joined);
    CHECK(keeper.is_busy());
    CHECK_FALSE(keeper.may_follow(before));
    finish();
    CHECK_FALSE(keeper.is_busy());
    CHECK_FALSE(keeper.may_follow(before));
    CHECK(keeper.may_follow(ring_of({by_hand})));
    CHECK(load_keyring(directory.path() / "keyring")->ring == ring_of({by_hand}));
}

TEST_CASE_FIXTURE(Fixture, "keyring keeper: after a change that failed the wanted one may follow") {
    const Keyring before = keeper.kept().ring;
    std::filesystem::create_directory(directory.path() / "keyring");
    store(ring_of({by_hand}), KeyOrigin::Joined);
    finish();
    REQUIRE(told.size() == 1);
    CHECK_FALSE(told[0].empty());
    CHECK(keeper.kept().ring == before);
    CHECK(keeper.may_follow(before));
}
