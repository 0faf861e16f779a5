// SPDX-License-Identifier: Apache-2.0
#include "ipc/client/event_resume.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/cli/parsed.h"

namespace meshd::ipc {
namespace {

Event event(const std::string& kind, const std::string& cursor, const std::string& id = "") {
    return Event(cli::parsed("{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"kind\":\"" +
                             kind + "\",\"cursor\":\"" + cursor + "\",\"data\":{\"id\":\"" + id +
                             "\"}}}"));
}

TEST_CASE("event resume: goes on behind the last event") {
    EventResume resume;
    CHECK(resume.cursor().empty());
    resume.start_at("aa.4.0");
    CHECK(resume.cursor() == "aa.4.0");
    CHECK(resume.is_new(event("link.up", "aa.5.0")));
    CHECK(resume.cursor() == "aa.5.0");
    resume.start_at("aa.9.0");
    CHECK(resume.cursor() == "aa.5.0");
}

TEST_CASE("event resume: the last event told again is dropped") {
    EventResume resume("aa.5.0");
    CHECK(!resume.is_new(event("link.up", "aa.5.0")));
    CHECK(resume.is_new(event("link.up", "aa.6.0")));
    CHECK(resume.is_new(event("link.up", "bb.1.0")));
    CHECK(!resume.is_new(event("link.up", "bb.1.0")));
    CHECK(resume.cursor() == "bb.1.0");
}

TEST_CASE("event resume: an alert is new once, whatever its cursor") {
    EventResume resume("aa.5.0");
    CHECK(resume.is_new(event("alert", "aa.5.3", "cam-1.0.1")));
    CHECK(!resume.is_new(event("alert", "bb.1.3", "cam-1.0.1")));
    CHECK(resume.is_new(event("alert", "bb.1.4", "cam-1.0.2")));
    CHECK(resume.cursor() == "bb.1.4");
}

TEST_CASE("event resume: a gap is always told and moves nothing") {
    EventResume resume("aa.5.0");
    CHECK(resume.is_new(event("lagged", "aa.5.0")));
    CHECK(resume.is_new(event("lagged", "aa.5.0")));
    CHECK(resume.cursor() == "aa.5.0");
}

TEST_CASE("event resume: of many alerts the oldest are forgotten") {
    EventResume resume;
    for (std::size_t i = 0; i <= EventResume::kAlertsKeptMax; ++i) {
        CHECK(resume.is_new(event("alert", "aa.1.0", std::to_string(i))));
    }
    CHECK(!resume.is_new(event("alert", "aa.1.0", "1")));
    CHECK(resume.is_new(event("alert", "aa.1.0", "0")));
}

}  // namespace
}  // namespace meshd::ipc
