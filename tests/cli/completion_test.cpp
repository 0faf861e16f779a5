// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>

#include "cli/completion_words.h"
#include "cli/verbs.h"
#include "ipc/method_table.h"
#include "tests/cli/run_verb.h"

namespace meshd::cli {
namespace {

using Words = std::vector<std::string>;

Words words_of(const Completion& completion) {
    Words words;
    for (const Candidate& candidate : completion.words) {
        words.push_back(candidate.word);
    }
    return words;
}

/// With a mesh of cam-1, cam-2 and gate.
Words completed(const Words& typed) {
    return words_of(complete_words(typed, [] { return Words{"cam-1", "cam-2", "gate"}; }));
}

bool has(const Words& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

TEST_CASE("completion: every verb, by its words") {
    const Words first = completed({""});
    for (const Verb* verb : all_verbs()) {
        CAPTURE(verb->name);
        const std::string name(verb->name);
        const std::size_t space = name.find(' ');
        CHECK(std::count(first.begin(), first.end(), name.substr(0, space)) == 1);
        if (space != std::string::npos) {
            CHECK(has(completed({name.substr(0, space), ""}), name.substr(space + 1)));
        }
    }
    CHECK(completed({"sta"}) == Words{"status", "state", "stats"});
    CHECK(completed({"state", "g"}) == Words{"get"});
    CHECK(completed({"no-such"}).empty());
    CHECK(completed({"no-such", ""}).empty());
}

TEST_CASE("completion: every option of a verb, and those of all") {
    for (const Verb* verb : all_verbs()) {
        CAPTURE(verb->name);
        const std::string name(verb->name);
        const std::size_t space = name.find(' ');
        Words typed = {name.substr(0, space)};
        if (space != std::string::npos) {
            typed.push_back(name.substr(space + 1));
        }
        typed.emplace_back("--");
        const Words found = completed(typed);
        for (const Option& option : verb->options) {
            CHECK(has(found, "--" + std::string(option.name)));
        }
        for (const Option& option : global_options()) {
            CHECK(has(found, "--" + std::string(option.name)));
        }
        CHECK(has(found, "--help"));
    }
    CHECK(completed({"--js"}) == Words{"--json"});
}

TEST_CASE("completion: boxes where a box is meant") {
    CHECK(completed({"ping", ""}) == Words{"cam-1", "cam-2", "gate"});
    CHECK(completed({"ping", "cam"}) == Words{"cam-1", "cam-2"});
    CHECK(completed({"ping", "gate", ""}).empty());
    CHECK(completed({"--json", "--timeout", "3", "trace", "g"}) == Words{"gate"});
    CHECK(completed({"ping", "-c", "3", "g"}) == Words{"gate"});
    CHECK(completed({"search", "--node", "g"}) == Words{"gate"});
    CHECK(completed({"ping", "--count=3", "g"}) == Words{"gate"});
    bool is_asked = false;
    complete_words(Words{"alert", ""}, [&] {
        is_asked = true;
        return Words{};
    });
    CHECK_FALSE(is_asked);
}

TEST_CASE("completion: values of options, methods, kinds and files") {
    CHECK(completed({"alert", "--priority", "c"}) == Words{"critical"});
    CHECK(completed({"rpc", ""}).size() == ipc::methods().size());
    CHECK(has(completed({"watch", "node", "alert", "link."}), "link.up"));
    CHECK(completed({"completion", ""}) == Words{"bash", "zsh", "fish"});
    CHECK(complete_words(Words{"backup", ""}, {}).wants_files);
    CHECK(complete_words(Words{"--socket", ""}, {}).wants_files);
    CHECK(complete_words(Words{"registry", "nearest", ""}, {}).wants_files);
    CHECK_FALSE(complete_words(Words{"nodes", "--"}, {}).wants_files);
    CHECK(complete_words({}, {}).words.size() > 10);
}

TEST_CASE("completion: the socket that was typed is the one that is asked") {
    CHECK(socket_of(Words{"--socket", "/a", "ping", ""}) == "/a");
    CHECK(socket_of(Words{"--socket=/a", "ping", ""}) == "/a");
    CHECK(socket_of(Words{"ping", "--socket", ""}).empty());
    CHECK(socket_of(Words{"ping", ""}).empty());
}

TEST_CASE("completion: words are printed for scripts, with boxes from the daemon") {
    const RanVerb run = run_verb(R"("result":{"nodes":[{"node_id":"cam-1"},{"node_id":"gate"}]})",
                                 {"completion", "words", "--", "ping", "c"});
    CHECK(run.done.out == "cam-1\ta box of the mesh\n");
    CHECK(run.calls == "mesh.nodes {}\n");
    const Finished files = run_meshctl({"completion", "words", "--", "--json", "backup", ""});
    CHECK(files.out == "//files\n");
    // No daemon: nothing to offer, and nothing to say.
    const Finished none =
        run_meshctl({"--socket", "/nonexistent/s", "completion", "words", "--", "ping", ""});
    CHECK(none.out.empty());
    CHECK(none.err.empty());
    CHECK(none.exit_code == 0);
}

TEST_CASE("completion: a script for each shell, and no other") {
    for (const char* shell : {"bash", "zsh", "fish"}) {
        const Finished done = run_meshctl({"completion", shell});
        CHECK(done.exit_code == 0);
        CHECK(done.out.find("completion words -- ") != std::string::npos);
    }
    CHECK(run_meshctl({"completion", "csh"}).exit_code == 2);
}

TEST_CASE("config: keys with their values and origins, what waits for a restart behind them") {
    const RanVerb run = run_verb(
        R"("result":{"keys":[{"key":"mesh.mtu","value":1400,"default":1400,"origin":"default",)"
        R"("place":null,"live":false,"pending":1300},{"key":"mesh.node_id","value":"",)"
        R"("default":"","origin":"default","place":null,"live":false,"pending":null},)"
        R"({"key":"log.level","value":"debug","default":"info","origin":"file",)"
        R"("place":"/m.yaml:2:3","live":true,"pending":null}],"files":["/m.yaml"]})",
        {"config", "mesh"});
    CHECK(run.calls == "config.get {\"key\":\"mesh\"}\n");
    CHECK(run.done.out ==
          "KEY           VALUE  FROM\n"
          "mesh.mtu      1400   default; the files say 1300: restart\n"
          "mesh.node_id  \"\"     default\n"
          "log.level     debug  /m.yaml:2:3\n");
}

}  // namespace
}  // namespace meshd::cli
