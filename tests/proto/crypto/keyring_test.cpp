// SPDX-License-Identifier: Apache-2.0
#include "proto/crypto/keyring.h"

#include <doctest/doctest.h>

using namespace meshd;

namespace {

struct Keys {
    Prng prng{Entropy{3}};
    MeshKey first = make_mesh_key(prng, 1);
    MeshKey second = make_mesh_key(prng, 2);
    MeshKey third = make_mesh_key(prng, 3);
};

/// A key whose hint is that of `key`.
MeshKey twin_of(const MeshKey& key, std::uint32_t generation) {
    Prng prng(Entropy{4});
    for (;;) {
        const MeshKey twin = make_mesh_key(prng, generation);
        if (key_hint(key_id(twin)) == key_hint(key_id(key))) {
            return twin;
        }
    }
}

}  // namespace

TEST_CASE("keyring: an empty one holds nothing and seals with nothing") {
    const Keyring ring;
    CHECK(ring.empty());
    CHECK(ring.active_key() == nullptr);
    CHECK(ring.find(KeyId{}) == nullptr);
    CHECK(ring.find_hint(0) == nullptr);
    CHECK(ring.newest_generation() == 0);
}

TEST_CASE("keyring: the first key is active, later ones wait until they are activated") {
    const Keys keys;
    Keyring ring;
    CHECK(ring.add(keys.second) == true);
    CHECK(ring.active == key_id(keys.second));
    CHECK(ring.add(keys.first) == true);
    CHECK(ring.add(keys.third) == true);
    CHECK(ring.add(keys.third) == false);
    REQUIRE(ring.keys.size() == 3);
    CHECK(ring.keys[0] == keys.first);
    CHECK(ring.keys[2] == keys.third);
    CHECK(ring.newest_generation() == 3);
    CHECK(*ring.active_key() == keys.second);
    CHECK(ring.activate(key_id(keys.third)));
    CHECK(*ring.active_key() == keys.third);
    CHECK_FALSE(ring.activate(KeyId{12345}));
    CHECK(*ring.active_key() == keys.third);
    CHECK(*ring.find(key_id(keys.first)) == keys.first);
    CHECK(*ring.find_hint(key_hint(key_id(keys.first))) == keys.first);
}

TEST_CASE("keyring: the same keys make equal rings in whatever order they came") {
    const Keys keys;
    Keyring a;
    Keyring b;
    REQUIRE(a.add(keys.first));
    REQUIRE(a.add(keys.second));
    REQUIRE(b.add(keys.second));
    REQUIRE(b.add(keys.first));
    CHECK(a != b);
    CHECK(b.activate(key_id(keys.first)));
    CHECK(a == b);
}

TEST_CASE("keyring: all but the active key can be removed") {
    const Keys keys;
    Keyring ring;
    REQUIRE(ring.add(keys.first));
    REQUIRE(ring.add(keys.second));
    CHECK_FALSE(ring.remove(key_id(keys.first)));
    CHECK_FALSE(ring.remove(KeyId{}));
    CHECK_FALSE(ring.remove(KeyId{12345}));
    CHECK(ring.activate(key_id(keys.second)));
    CHECK(ring.remove(key_id(keys.first)));
    CHECK(ring.find(key_id(keys.first)) == nullptr);
    CHECK(ring.keys.size() == 1);
}

TEST_CASE(
    "keyring: another mesh's key, a twin hint and one key too many are refused with the reason") {
    Keys keys;
    Keyring ring;
    REQUIRE(ring.add(keys.first));
    const MeshKey foreign = make_mesh_key(keys.prng, 1);
    CHECK(ring.add(foreign).error() ==
          "the key " + print_key_id(ring.active) + " is of the same generation: " +
              print_key_id(key_id(foreign)) + " belongs to another mesh");
    CHECK(ring.add(twin_of(keys.first, 2)).error().find("cannot be told apart") !=
          std::string::npos);
    MeshKey renumbered = keys.first;
    renumbered.generation = 5;
    CHECK(ring.add(renumbered).error().find("another generation") != std::string::npos);
    for (std::uint32_t generation = 2; generation <= Keyring::kKeysMax; ++generation) {
        REQUIRE(ring.add(make_mesh_key(keys.prng, generation)));
    }
    CHECK(ring.add(make_mesh_key(keys.prng, 9)).error() ==
          "the keyring is full (4 keys): remove an old one first");
    CHECK(ring.keys.size() == Keyring::kKeysMax);
}
