// SPDX-License-Identifier: Apache-2.0
#include "cli/help.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "cli/format.h"
#include "cli/method_help.h"
#include "cli/verbs.h"
#include "ipc/event_kind.h"
#include "tests/cli/parsed.h"

namespace meshd::cli {
namespace {

TEST_CASE("help: every verb says what it does, how it is used and gives an example of itself") {
    std::set<std::string_view> names;
    for (const Verb* verb : all_verbs()) {
        CAPTURE(verb->name);
        CHECK(names.insert(verb->name).second);
        CHECK((verb->run != nullptr));
        CHECK(!verb->summary.empty());
        CHECK(!verb->summary.ends_with('.'));
        CHECK(verb->example.find("meshctl " + std::string(verb->name)) != std::string_view::npos);
        const std::string help = verb_help(*verb);
        CHECK(help.find("Usage: meshctl " + std::string(verb->name)) != std::string::npos);
        CHECK(help.find("\nExample:\n  meshctl ") != std::string::npos);
        CHECK(help.find("--json") != std::string::npos);
        for (const Option& option : verb->options) {
            const std::string letter =
                option.letter == '\0' ? "" : std::string("-") + option.letter + ", ";
            CHECK(help.find("\n  " + letter + "--" + std::string(option.name)) !=
                  std::string::npos);
            CHECK(!option.help.empty());
            CHECK(option.value.empty() == (option.kind == ValueKind::Flag));
        }
        CHECK(overview_help().find("\n  " + std::string(verb->name) + " ") != std::string::npos);
    }
}

TEST_CASE("help: lines fit a terminal of 100 columns") {
    std::string all = overview_help() + group_help("state") + group_help("registry");
    for (const Verb* verb : all_verbs()) {
        all += verb_help(*verb);
    }
    for (const std::string& line : split(all, '\n')) {
        CAPTURE(line);
        CHECK(line.size() <= 100);
    }
}

TEST_CASE("help: the usage line shows what may be left out and what may come often") {
    CHECK(usage_line(kAlertVerb) ==
          "meshctl alert [--priority P] [--wait S] [--dedupe-key K] [--ttl D] ALERT");
    CHECK(usage_line(kWatchVerb) ==
          "meshctl watch [--node NODE]... [--priority P] [--type T] [--topic T] [--count N] "
          "[--since CURSOR] "
          "[--replay] "
          "[KIND...]");
    CHECK(usage_line(kPingVerb) == "meshctl ping [--count N] [--interval S] [--wait S] NODE");
    CHECK(usage_line(kRegistryNearestVerb).find(" [--node NODE]... ") != std::string::npos);
    CHECK(usage_line(kStateGetVerb) == "meshctl state get [--mesh] [--key K] [NODE]");
}

TEST_CASE("help: watch names every kind of event") {
    for (const std::string_view kind : ipc::kEventKindNames) {
        CAPTURE(kind);
        CHECK(kWatchVerb.notes.find(kind) != std::string_view::npos);
    }
}

TEST_CASE("help: a method of the daemon is explained from its OpenRPC document") {
    const auto document = parsed(R"({"methods":[
        {"name":"mesh.status","summary":"What this node is","params":[]},
        {"name":"alerts.raise","summary":"Sends an alert","params":[
          {"name":"alert","description":"what is to be told","required":true,"schema":{"type":"object"}},
          {"name":"priority","description":"how urgent","required":false,
           "schema":{"type":"string","enum":["low","high"],"default":"low"}},
          {"name":"wait_ms","description":"how long","required":false,
           "schema":{"type":"integer","minimum":0,"maximum":60000}}]}]})");
    CHECK(method_help(document.root(), "mesh.status") ==
          "mesh.status: What this node is\n\nNo params.\n");
    CHECK(method_help(document.root(), "alerts.raise") ==
          "alerts.raise: Sends an alert\n"
          "\n"
          "PARAM     TYPE              DEFAULT\n"
          "alert     object            required  what is to be told\n"
          "priority  low|high          low       how urgent\n"
          "wait_ms   integer 0..60000  -         how long\n");
    const auto full = parsed(R"({"methods":[
        {"name":"mesh.forget","summary":"Forgets a node","params":[],
         "result":{"name":"result","schema":{"type":"object","properties":{
           "node_id":{"type":"string"},
           "age_ms":{"type":["integer","null"],"description":"since then"}}}},
         "errors":[{"code":100,"message":"unknown_node"},{"code":901,"message":"not_permitted"}],
         "x-since":"0.1.0","x-access":"admin","x-example":{"node_id":"box-9"}}]})");
    CHECK(method_help(full.root(), "mesh.forget") ==
          "mesh.forget: Forgets a node\n"
          "\n"
          "No params.\n"
          "\n"
          "RESULT   TYPE\n"
          "node_id  string\n"
          "age_ms   integer|null  since then\n"
          "\n"
          "Errors: 100 unknown_node, 901 not_permitted\n"
          "For root, the user meshd runs as, and members of group meshd-admin.\n"
          "Since 0.1.0.\n"
          "\n"
          "Example:\n"
          "  meshctl rpc mesh.forget '{\"node_id\":\"box-9\"}'\n");
    CHECK(method_help(document.root(), "mesh.satus").error() ==
          "no method 'mesh.satus'; did you mean 'mesh.status'?");
}

}  // namespace
}  // namespace meshd::cli
