// SPDX-License-Identifier: Apache-2.0
#include "daemon/call_audit.h"

#include <doctest/doctest.h>

using namespace meshd;

namespace {

const ipc::Method& row(std::string_view name) {
    const ipc::Method* const found = ipc::find_method(name);
    REQUIRE(found != nullptr);
    return *found;
}

constexpr CallAudit::Caller kAlice{1000, 77};
constexpr CallAudit::Caller kBob{1001, 78};

}  // namespace

TEST_CASE("call audit: who writes is told once a minute, with the number of calls left out") {
    CallAudit audit;
    const ipc::Method& method = row("alerts.raise");
    CHECK(audit.note(5, kAlice, method, true) == "alerts.raise by user 1000, process 77");
    CHECK_FALSE(audit.note(6, kAlice, method, true));
    CHECK_FALSE(audit.note(5 + CallAudit::kIntervalMs - 1, kAlice, method, true));
    CHECK(audit.note(7, kBob, method, true) == "alerts.raise by user 1001, process 78");
    CHECK(audit.note(8, kAlice, row("state.update"), true));
    CHECK(audit.note(5 + CallAudit::kIntervalMs, kAlice, method, true) ==
          "alerts.raise by user 1000, process 77 (and 2 times more since the last such line)");
}

TEST_CASE("call audit: what only reads is not told") {
    CallAudit audit;
    CHECK_FALSE(audit.note(0, kAlice, row("mesh.status"), true));
    CHECK_FALSE(audit.note(0, kAlice, row("events.subscribe"), true));
}

TEST_CASE("call audit: a permitted call for admins is always told, a refused one by rate") {
    CallAudit audit;
    const ipc::Method& forget = row("mesh.forget");
    CHECK(audit.note(0, kAlice, forget, true));
    CHECK(audit.note(0, kAlice, forget, true));
    CHECK(audit.note(0, kBob, forget, false) ==
          "mesh.forget by user 1001, process 78: not permitted, the user is not in group "
          "meshd-admin");
    CHECK_FALSE(audit.note(1, kBob, forget, false));
}

TEST_CASE("call audit: memory is bounded however many users call") {
    CallAudit audit;
    for (uid_t uid = 0; uid < 3 * CallAudit::kEntriesMax; ++uid) {
        CHECK(audit.note(0, {uid, 1}, row("alerts.raise"), true));
    }
    CHECK_FALSE(audit.note(1, {3 * CallAudit::kEntriesMax - 1, 1}, row("alerts.raise"), true));
}
