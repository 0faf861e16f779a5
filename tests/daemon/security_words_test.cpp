// SPDX-License-Identifier: Apache-2.0
#include "daemon/security_words.h"

#include <doctest/doctest.h>

using namespace meshd;

namespace {

std::string text_of(const SecurityView& view) {
    std::string text;
    for (const std::string& warning : security_warnings(view)) {
        text += warning + "\n";
    }
    return text;
}

SecurityView sealed() {
    SecurityView view;
    view.mode = SecurityMode::Sealed;
    view.active = KeyId{0x1a098fca};
    view.keys = {view.active};
    return view;
}

}  // namespace

TEST_CASE("security words: a sealed mesh of one key is nothing to warn of") {
    CHECK(text_of(sealed()).empty());
    CHECK(security_words(SecurityMode::Sealed, KeyId{0x1a098fca}) == "sealed with key 1a098fca");
}

TEST_CASE("security words: without a key the warning says how to get one") {
    SecurityView view;
    view.mode = SecurityMode::Sealed;
    view.is_silent = true;
    CHECK(text_of(view) ==
          "no mesh key: this node speaks with nobody; the first box of a mesh gets one by meshctl "
          "key new, all others by meshctl key join\n");
    view.foreigners.push_back({*parse_endpoint("10.0.0.7:9999"), true, {}});
    CHECK(text_of(view) ==
          "no mesh key: this node speaks with nobody; there are sealed ones already: meshctl key "
          "join\nheard nodes with another key, and not understood: 10.0.0.7:9999\n");
    CHECK(security_words(SecurityMode::Sealed, KeyId{}) == "sealed, no key yet: silent");
}

TEST_CASE("security words: open and mixed are warned of, with who is not sealed yet") {
    SecurityView view = sealed();
    view.mode = SecurityMode::Open;
    CHECK(text_of(view).starts_with("open: nothing is sealed, whoever reaches the UDP port"));
    view.mode = SecurityMode::Mixed;
    CHECK(text_of(view) ==
          "mixed: nodes without a mesh key may take part (security.mode); all others are sealed, "
          "this one can be as well\n");
    view.not_sealed = {*NodeId::parse("box-2"), *NodeId::parse("box-3")};
    CHECK(text_of(view).ends_with("; so it is at box-2, box-3\n"));
    view.mode = SecurityMode::Sealed;
    CHECK(text_of(view) == "not yet sealed, but security.mode: mixed: box-2, box-3\n");
}

TEST_CASE("security words: who lacks the newest key is named, a crowd is cut") {
    SecurityView view = sealed();
    view.keys.push_back(KeyId{2});
    for (int i = 0; i < 10; ++i) {
        view.without_newest.push_back(*NodeId::parse("b" + std::to_string(i)));
    }
    CHECK(text_of(view) ==
          "without the newest mesh key 00000002: b0, b1, b2, b3, b4, b5, b6, b7 and 2 more\n");
    view.mode = SecurityMode::Open;
    CHECK(text_of(view).find("newest") == std::string::npos);
}
