// SPDX-License-Identifier: Apache-2.0
/// \file
/// The program as the shell sees it, before a scripted daemon.
#include <doctest/doctest.h>

#include <csignal>
#include <future>
#include <string>
#include <string_view>

#include "cli/format.h"
#include "cli/help.h"
#include "cli/verbs.h"
#include "tests/cli/fake_daemon.h"
#include "tests/cli/run_meshctl.h"

namespace meshd::cli {
namespace {

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

/// A daemon that answers every call of one connection with the same member.
std::vector<Session> always(std::string member) {
    return {responder(
        [member = std::move(member)](std::string_view, const std::string&) { return member; })};
}

std::string cursor_text(int number, const std::string& start = "00000000000000aa") {
    return start + "." + std::to_string(number) + ".0";
}

std::string event_line(int cursor, const std::string& kind, const std::string& data) {
    return R"({"jsonrpc":"2.0","method":"event","params":{"subscription":"1","kind":")" + kind +
           R"(","cursor":")" + cursor_text(cursor) + R"(","timestamp_ms":0,"data":)" + data +
           "}}\n";
}

std::string subscribed(int cursor) {
    return R"("result":{"subscription":"1","cursor":")" + cursor_text(cursor) + "\"}";
}

TEST_CASE("meshctl: with --json the result is printed as the daemon wrote it") {
    const FakeDaemon daemon(always(R"("result":{"peers":[],"later":18446744073709551615})"));
    const Finished done = run_meshctl({"--socket", daemon.path(), "peers", "--json"});
    CHECK(done.exit_code == 0);
    CHECK(done.out == "{\"peers\":[],\"later\":18446744073709551615}\n");
    CHECK(done.err.empty());
}

TEST_CASE("meshctl: options of the program are taken before and after the verb") {
    for (const bool is_after : {false, true}) {
        const FakeDaemon daemon(always(R"("result":{"peers":[]})"));
        const Finished done =
            is_after ? run_meshctl({"peers", "--socket", daemon.path(), "--timeout", "60"})
                     : run_meshctl({"--socket", daemon.path(), "--timeout", "60", "peers"});
        CHECK(done.exit_code == 0);
        CHECK(done.out == "no links\n");
    }
}

TEST_CASE("meshctl: the socket may come from the environment") {
    const FakeDaemon daemon(always(R"("result":{"routes":[]})"));
    const Finished done = run_meshctl({"routes"}, "", {"MESHD_SOCKET=" + daemon.path()});
    CHECK(done.exit_code == 0);
    CHECK(done.out == "no routes\n");
}

TEST_CASE("meshctl: without a daemon the exit code is 3 and the words say what to do") {
    const TemporaryDirectory directory;
    const Finished done = run_meshctl({"status"}, "", {"MESHD_SOCKET=" + directory.path() + "/x"});
    CHECK(done.exit_code == 3);
    CHECK(done.out.empty());
    CHECK(has(done.err, directory.path() + "/x: no such file"));
    CHECK(has(done.err, "meshd"));
}

TEST_CASE("meshctl: a daemon that says nothing is a timeout, one that goes away is none") {
    const FakeDaemon silent({[](Connection& connection) { connection.wait_for_end(); }});
    CHECK(run_meshctl({"--socket", silent.path(), "--timeout", "50ms", "nodes"}).exit_code == 4);
    const FakeDaemon gone({[](Connection& connection) { connection.read_line(); }});
    CHECK(run_meshctl({"--socket", gone.path(), "nodes"}).exit_code == 3);
}

TEST_CASE("meshctl: refused is 1, not permitted is 5, and the reason is on standard error") {
    const FakeDaemon refusing(always(R"("error":{"code":100,"message":"no node 'x' is known"})"));
    Finished done = run_meshctl({"--socket", refusing.path(), "state", "get", "x", "--json"});
    CHECK(done.exit_code == 1);
    CHECK(done.out.empty());
    CHECK(done.err == "meshctl: no node 'x' is known\n");
    const FakeDaemon strict(always(R"("error":{"code":901,"message":"not permitted"})"));
    CHECK(run_meshctl({"--socket", strict.path(), "leave"}).exit_code == 5);
}

TEST_CASE("meshctl: forget names the box, says what was done, and why not") {
    const FakeDaemon daemon(
        {responder([](std::string_view method, const std::string& params) -> std::string {
            return method == "mesh.forget" && params == R"({"node_id":"cam-9"})"
                       ? R"("result":{"node_id":"cam-9","forgotten":true})"
                       : R"("error":{"code":-32601,"message":"wrong call"})";
        })});
    const Finished done = run_meshctl({"--socket", daemon.path(), "forget", "cam-9"});
    CHECK(done.exit_code == 0);
    CHECK(done.out == "forgot cam-9, here and on all boxes; its entries and alerts stay\n");
    const FakeDaemon refusing(
        always(R"("error":{"code":102,"message":"cam-2 is alive: stop it first",)"
               R"("data":{"field":"node_id","got":"cam-2"}})"));
    const Finished refused = run_meshctl({"--socket", refusing.path(), "forget", "cam-2"});
    CHECK(refused.exit_code == 1);
    CHECK(refused.err == "meshctl: cam-2 is alive: stop it first\n");
    const FakeDaemon strict(always(R"("error":{"code":901,"message":"not permitted"})"));
    CHECK(run_meshctl({"--socket", strict.path(), "forget", "cam-9"}).exit_code == 5);
    CHECK(run_meshctl({"forget"}).exit_code == 2);
}

TEST_CASE("meshctl: with --quiet no word comes where it worked, anywhere on the line") {
    const std::vector<std::vector<std::string>> all = {
        {"--quiet", "forget", "cam-9"}, {"leave", "-q"}, {"-q", "discover"}};
    for (const auto& words : all) {
        const FakeDaemon daemon(always(R"("result":{"node_id":"cam-9"})"));
        std::vector<std::string> line = {"--socket", daemon.path()};
        line.insert(line.end(), words.begin(), words.end());
        const Finished done = run_meshctl(line);
        CHECK(done.exit_code == 0);
        CHECK(done.out.empty());
        CHECK(done.err.empty());
    }
    const FakeDaemon refusing(always(R"("error":{"code":100,"message":"no node of this name"})"));
    CHECK(!run_meshctl({"--socket", refusing.path(), "-q", "forget", "x"}).err.empty());
}

TEST_CASE("meshctl: a wrong command line is 2 and says what was meant") {
    struct Wrong {
        std::vector<std::string> words;
        std::string_view says;
    };
    const std::vector<Wrong> all = {
        {{}, "a verb is missing"},
        {{"stauts"}, "unknown verb 'stauts'; did you mean 'status'?"},
        {{"state"}, "state needs a verb behind it"},
        {{"state", "gett"}, "unknown verb 'state gett'; did you mean 'get'?"},
        {{"registry", "backup"}, "unknown verb 'registry backup'; did you mean 'backup'?"},
        {{"nearest"}, "unknown verb 'nearest'; did you mean 'registry nearest'?"},
        {{"rm"}, "; did you mean 'registry rm' or 'key rm'?"},
        {{"status", "--jsno"}, "unknown option '--jsno'; did you mean '--json'?"},
        {{"status", "now"}, "'now' is one argument too many"},
        {{"nodes", "a", "b"}, "'b' is one argument too many"},
        {{"alert"}, "ALERT is missing"},
        {{"alert", "{\"type\":"}, "begins like a JSON object but is no JSON at byte"},
        {{"alert", "  "}, "the alert is empty"},
        {{"alert", "x", "--wait", "2h"}, "is not between 0 ms and 1 min"},
        {{"alerts", "--limit", "-1"}, "no whole number from 1 to 1000"},
        {{"status", "--timeout"}, "a value is missing behind --timeout"},
        {{"status", "--socket", ""}, "--socket is empty"},
        {{"--socket=", "status"}, "--socket"},
        {{"topology", "--ascii", "--dot"}, "--ascii and --dot exclude each other"},
        {{"state", "set"}, "needs KEY=VALUE"},
        {{"state", "set", "x"}, "neither KEY=VALUE nor a JSON object"},
        {{"state", "set", "{}x"}, "the patch is no JSON at byte 2"},
        {{"watch", "link", "nod"}, "there is no kind of event 'nod'; did you mean 'node'?"},
        {{"watch", "weather"}, "it may be node, state, link, "},
        {{"watch", "--since", "x", "--replay"}, "--since and --replay exclude each other"},
        {{"state", "get", "cam-1", "--mesh"}, "NODE and --mesh exclude each other"},
        {{"state", "set", "--mesh"}, "state set --mesh needs KEY=VALUE"},
        {{"state", "set", "--mesh", "a=1", "--activity", "IDLE"}, "--mesh and --activity exclude"},
        {{"alerts", "a.0.1", "--follow"}, "ID and --follow exclude each other"},
        {{"alert", "x", "--ttl", "25h"}, "is not between 1.0 ms and 1 d 0 h"},
        {{"registry"}, "registry needs a verb behind it"},
        {{"registry", "gte"}, "unknown verb 'registry gte'; did you mean 'get'?"},
        {{"registry", "put", "x"}, "--type is missing"},
        {{"registry", "put", "x", "--type", "t", "--embeding", "f"}, "did you mean '--embedding'?"},
        {{"registry", "put", "x", "--type", "t", "--space", "s"}, "--embedding is missing"},
        {{"registry", "put", "x", "--type", "t", "--embedding", "f"}, "--embedding needs --space"},
        {{"registry", "put", "x", "--type", "t", "--metadata", "[1]"}, "is no JSON object"},
        {{"registry", "put", "x", "--type", "t", "--embedding", "/no/f.f32", "--space", "s"},
         "--embedding: cannot read /no/f.f32: No such file or directory"},
        {{"registry", "ls", "--limit", "1001"}, "no whole number from 1 to 1000"},
        {{"registry", "import", "/no/file"}, "cannot read /no/file: No such file or directory"},
        {{"rpc"}, "METHOD is missing"},
        {{"rpc", "mesh.status", "{"}, "PARAMS is no JSON at byte"},
        {{"rpc", "mesh.status", "1"}, "neither a JSON object nor an array"},
    };
    for (const Wrong& wrong : all) {
        CAPTURE(wrong.says);
        const Finished done = run_meshctl(wrong.words);
        CHECK(done.exit_code == 2);
        CHECK(done.out.empty());
        CHECK_MESSAGE(has(done.err, wrong.says), done.err);
    }
}

TEST_CASE("meshctl: help needs no daemon and goes to standard output") {
    CHECK(run_meshctl({"--help"}).out == overview_help());
    CHECK(run_meshctl({"help"}).out == overview_help());
    CHECK(run_meshctl({"help", "alert"}).out == verb_help(kAlertVerb));
    CHECK(run_meshctl({"state", "--help"}).out == group_help("state"));
    CHECK(run_meshctl({"--version"}).out == "meshctl " MESHD_VERSION "\n");
    for (const Verb* verb : all_verbs()) {
        CAPTURE(verb->name);
        std::vector<std::string> words = split(verb->name, ' ');
        words.emplace_back("--help");
        const Finished done = run_meshctl(words);
        CHECK(done.exit_code == 0);
        CHECK(done.out == verb_help(*verb));
    }
}

TEST_CASE("meshctl alert: text, object and standard input become the same kind of call") {
    const auto params_of = [](std::vector<std::string> words, const std::string& input) {
        std::string seen;
        {
            const FakeDaemon daemon(
                {responder([&](std::string_view, const std::string& params) -> std::string {
                    seen = params;
                    return R"("result":{"id":"a.0.1","delivered":["b"],"pending":[]})";
                })});
            words.insert(words.begin(), {"--socket", daemon.path(), "alert"});
            const Finished done = run_meshctl(words, input);
            CHECK(done.exit_code == 0);
            CHECK(done.out == "a.0.1: delivered to 1 of 1 other box that is alive\n");
        }
        return seen;
    };
    CHECK(params_of({"door \"open\""}, "") ==
          R"({"alert":{"message":"door \"open\""},"wait_ms":1000})");
    CHECK(params_of({R"({"type": 1})", "--priority", "high", "--wait", "2s"}, "") ==
          R"({"alert":{"type":1},"priority":"high","wait_ms":2000})");
    CHECK(params_of({"-"}, "{\"type\": 1}\n") == R"({"alert":{"type":1},"wait_ms":1000})");
    CHECK(params_of({"-"}, "smoke\n") == R"({"alert":{"message":"smoke"},"wait_ms":1000})");
    CHECK(params_of({"--", "--weird"}, "") == R"({"alert":{"message":"--weird"},"wait_ms":1000})");
}

TEST_CASE(
    "meshctl alert: boxes that have not confirmed make the exit code 4, unless not waited for") {
    const std::string member = R"("result":{"id":"a.0.1","delivered":["b"],"pending":["c"]})";
    const FakeDaemon waiting(always(member));
    const Finished waited = run_meshctl({"--socket", waiting.path(), "alert", "x"});
    CHECK(waited.exit_code == 4);
    CHECK(waited.out == "a.0.1: delivered to 1 of 2 other boxes that are alive\npending: c\n");
    const FakeDaemon json(always(member));
    CHECK(run_meshctl({"--socket", json.path(), "alert", "x", "--json"}).exit_code == 4);
    const FakeDaemon sending(always(member));
    CHECK(run_meshctl({"--socket", sending.path(), "alert", "x", "--wait", "0"}).exit_code == 0);
}

TEST_CASE("meshctl alerts: says on standard error that there are more") {
    const FakeDaemon daemon(always(
        R"("result":{"alerts":[{"source":"a","priority":"low","age_ms":1,"alert":{},"hops":0}],"next":"a.0.1"})"));
    const Finished done = run_meshctl({"--socket", daemon.path(), "alerts", "--limit", "1"});
    CHECK(done.exit_code == 0);
    CHECK(has(done.out, "low"));
    CHECK(done.err == "meshctl: there are more: --after a.0.1\n");
}

TEST_CASE("meshctl alerts: --follow prints the old ones first and none twice") {
    const auto alert = [](const std::string& id) {
        return "{\"id\":\"" + id +
               R"(","source":"a","priority":"low","timestamp_ms":0,"age_ms":1,"alert":{"message":")" +
               id + R"("},"hops":1})";
    };
    const FakeDaemon daemon({[&](Connection& connection) {
        CHECK(has(connection.answer(subscribed(1)), R"("params":{"kinds":["alert"]})"));
        connection.write(event_line(2, "alert", alert("two")));
        connection.answer("\"result\":{\"alerts\":[" + alert("two") + "," + alert("one") +
                          "],\"next\":null}");
        connection.write(event_line(3, "alert", alert("three")));
        connection.wait_for_end();
    }});
    Meshctl meshctl({"--socket", daemon.path(), "alerts", "--follow"});
    CHECK(meshctl.read_line() == "00:00:00.000  low from a, 1 hop, 1.0 ms old: one");
    CHECK(meshctl.read_line() == "00:00:00.000  low from a, 1 hop, 1.0 ms old: two");
    CHECK(meshctl.read_line() == "00:00:00.000  low from a, 1 hop, 1.0 ms old: three");
    meshctl.send_signal(SIGTERM);
    CHECK(meshctl.finish().exit_code == 0);
}

TEST_CASE("meshctl watch: prints events as they come and ends cleanly with Ctrl-C") {
    const FakeDaemon daemon({[](Connection& connection) {
        CHECK(has(connection.answer(subscribed(1)),
                  R"("params":{"kinds":["node"],"priority":"high"})"));
        connection.write(event_line(2, "node.joined", R"({"node_id":"b","because":null})"));
        connection.wait_for_end();
    }});
    Meshctl meshctl({"--socket", daemon.path(), "watch", "node", "--priority", "high"});
    CHECK(meshctl.read_line() == "00:00:00.000  node.joined       b");
    meshctl.send_signal(SIGINT);
    const Finished done = meshctl.finish();
    CHECK(done.exit_code == 0);
    CHECK(done.err.empty());
}

TEST_CASE("meshctl watch: goes on behind the last event once the daemon is back") {
    const FakeDaemon daemon(
        {[](Connection& connection) {
             connection.answer(subscribed(1));
             connection.write(event_line(2, "link.up", R"({"node_id":"b"})"));
         },
         [](Connection& connection) {
             CHECK(has(connection.answer(subscribed(3)), "\"since\":\"" + cursor_text(2) + "\""));
             connection.write(event_line(2, "link.up", R"({"node_id":"b"})"));
             connection.write(event_line(3, "link.down", R"({"node_id":"b"})"));
             connection.wait_for_end();
         }});
    const Finished done =
        run_meshctl({"--socket", daemon.path(), "watch", "--json", "--count", "2"});
    CHECK(done.exit_code == 0);
    CHECK(has(done.out, "\"link.up\""));
    CHECK(has(done.out, "\"link.down\""));
    CHECK(has(done.err, "waiting until it is back"));
    CHECK(has(done.err, "the daemon is back"));
}

TEST_CASE("meshctl watch: begins behind the cursor given, or with all that is held") {
    const auto params_of = [](std::vector<std::string> words) {
        std::string seen;
        {
            const FakeDaemon daemon({[&](Connection& connection) {
                seen = connection.answer(subscribed(9));
                connection.write(event_line(4, "link.up", R"({"node_id":"b"})"));
                connection.wait_for_end();
            }});
            words.insert(words.begin(), {"--socket", daemon.path(), "watch", "--count", "1"});
            CHECK(has(run_meshctl(words).out, "link.up"));
        }
        return seen;
    };
    CHECK(has(params_of({"--since", cursor_text(3)}), "{\"since\":\"" + cursor_text(3) + "\"}"));
    CHECK(has(params_of({"--replay"}), R"({"replay":true})"));
}

TEST_CASE("meshctl watch: a daemon that has started anew does not tell an alert twice") {
    const std::string alert =
        R"({"id":"a.0.1","source":"a","priority":"low","age_ms":1,"alert":{"message":"smoke"},"hops":1})";
    const FakeDaemon daemon({[&](Connection& connection) {
                                 connection.answer(subscribed(1));
                                 connection.write(event_line(2, "alert", alert));
                             },
                             [&](Connection& connection) {
                                 connection.answer(subscribed(9));
                                 connection.write(event_line(8, "lagged", R"({"lost":null})"));
                                 connection.write(event_line(9, "alert", alert));
                                 connection.write(event_line(10, "link.up", R"({"node_id":"b"})"));
                                 connection.wait_for_end();
                             }});
    const Finished done = run_meshctl({"--socket", daemon.path(), "watch", "--count", "3"});
    CHECK(done.exit_code == 0);
    const std::size_t first = done.out.find("smoke");
    CHECK(first != std::string::npos);
    CHECK(done.out.find("smoke", first + 1) == std::string::npos);
    CHECK(has(done.out, "events were lost"));
    CHECK(has(done.out, "link.up"));
}

TEST_CASE("meshctl watch: a reader that goes away ends it with exit code 1, without a word") {
    std::promise<void> gone;
    const FakeDaemon daemon({[&](Connection& connection) {
        connection.answer(subscribed(1));
        gone.get_future().wait();
        connection.write(event_line(2, "link.up", R"({"node_id":"b"})"));
        connection.read_line();
    }});
    Meshctl meshctl({"--socket", daemon.path(), "watch"});
    meshctl.close_output();
    gone.set_value();
    const Finished done = meshctl.finish();
    CHECK(done.exit_code == 1);
    CHECK(done.err.empty());
}

TEST_CASE("meshctl state set: a word in brackets is one word, and none of the patch") {
    std::string seen;
    {
        const FakeDaemon daemon(
            {responder([&](std::string_view, const std::string& params) -> std::string {
                seen = params;
                return R"("result":{"node_id":"a","activity":"IDLE","age_ms":0,"state":{}})";
            })});
        run_meshctl({"--socket", daemon.path(), "state", "set", "[a=1,b=2]", "[x=2]"});
    }
    CHECK(seen == R"({"patch":{"[a":"1,b=2]","[x":"2]"}})");
}

TEST_CASE("meshctl state set: key and value become a merge patch") {
    std::string seen;
    {
        const FakeDaemon daemon(
            {responder([&](std::string_view method, const std::string& params) -> std::string {
                seen = std::string(method) + " " + params;
                return R"("result":{"node_id":"a","activity":"IDLE","state":{"t":1},"age_ms":0})";
            })});
        const Finished done = run_meshctl(
            {"--socket", daemon.path(), "state", "set", "t=1", "m=x y", "--activity", "IDLE"});
        CHECK(done.exit_code == 0);
        CHECK(done.out == "a  IDLE, written 0 ms ago\n  t  1\n");
    }
    CHECK(seen == R"(state.update {"patch":{"t":1,"m":"x y"},"activity":"IDLE"})");
}

TEST_CASE("meshctl state: the shared state is asked for and changed by scope") {
    std::string seen;
    {
        const Session session = responder([&](std::string_view method,
                                              const std::string& params) -> std::string {
            seen += std::string(method) + " " + params + "\n";
            return method == "state.get"
                       ? R"("result":{"state":{"mode":"night"},"members":{"mode":{"by":"b","age_ms":2000}}})"
                       : R"("result":{"changed":["mode"],"state":{"mode":"day"}})";
        });
        const FakeDaemon daemon({session, session});
        CHECK(run_meshctl({"--socket", daemon.path(), "state", "get", "--mesh"}).out ==
              "KEY   BY    AGE  VALUE\nmode  b   2.0 s  night\n");
        CHECK(run_meshctl({"--socket", daemon.path(), "state", "set", "--mesh", "mode=day"}).out ==
              "changed: mode\nKEY   VALUE\nmode  day\n");
    }
    CHECK(seen ==
          "state.get {\"scope\":\"mesh\"}\n"
          "state.update {\"scope\":\"mesh\",\"patch\":{\"mode\":\"day\"}}\n");
}

TEST_CASE("meshctl alert: key and ttl go with it, and what is on disk is said") {
    std::string seen;
    {
        const FakeDaemon daemon({responder([&](std::string_view,
                                               const std::string& params) -> std::string {
            seen = params;
            return R"("result":{"id":"a.0.1","durable":true,"repeated":true,"delivered":["b"],"pending":[]})";
        })});
        const Finished done = run_meshctl(
            {"--socket", daemon.path(), "alert", "x", "--dedupe-key", "disk", "--ttl", "1h"});
        CHECK(done.exit_code == 0);
        CHECK(has(done.out, "repeated: "));
        CHECK(has(done.out, "kept on disk\n"));
    }
    CHECK(seen ==
          R"({"alert":{"message":"x"},"dedupe_key":"disk","ttl_ms":3600000,"wait_ms":1000})");
}

TEST_CASE("meshctl alerts: one of them in full") {
    const FakeDaemon daemon({responder([](std::string_view method,
                                          const std::string& params) -> std::string {
        CHECK(method == "alerts.get");
        CHECK(params == R"({"id":"a.0.1"})");
        return R"("result":{"id":"a.0.1","source":"a","priority":"high","age_ms":1000,"ttl_ms":60000,"dedupe_key":"k","hops":1,"path":["a","b"],"alert":{"message":"smoke"}})";
    })});
    CHECK(run_meshctl({"--socket", daemon.path(), "alerts", "a.0.1"}).out ==
          "id          a.0.1\n"
          "source      a\n"
          "priority    high\n"
          "age         1.0 s\n"
          "ttl         1 min\n"
          "dedupe key  k\n"
          "hops        1\n"
          "path        a > b\n"
          "alert       smoke\n");
}

TEST_CASE("meshctl backup: the path is made absolute, and who may not is told the group") {
    std::string seen;
    {
        const FakeDaemon daemon(
            {responder([&](std::string_view, const std::string& params) -> std::string {
                seen = params;
                return R"("result":{"path":"/x/mesh.db","bytes":34816,"records":120})";
            })});
        CHECK(run_meshctl({"--socket", daemon.path(), "backup", "x/../mesh.db"}).out ==
              "backup   /x/mesh.db\nsize     34 KiB\nrecords  120\n");
    }
    CHECK(has(seen, "{\"path\":\"/"));
    CHECK(has(seen, "/mesh.db\"}"));
    CHECK(!has(seen, ".."));
    const FakeDaemon strict(always(R"("error":{"code":901,"message":"not permitted"})"));
    const Finished denied = run_meshctl({"--socket", strict.path(), "backup"});
    CHECK(denied.exit_code == 5);
    CHECK(has(denied.err, "group 'meshd-admin'"));
}

TEST_CASE("meshctl rpc: passes params on, prints the raw result, and explains methods") {
    const Session session = responder([](std::string_view method, const std::string& params) {
        return method == "rpc.discover"
                   ? std::string(
                         R"("result":{"methods":[{"name":"mesh.status","summary":"S","params":[]}]})")
                   : "\"result\":{\"got\":" + params + "}";
    });
    const FakeDaemon daemon({session, session, session, session, session});
    const std::string path = daemon.path();
    CHECK(run_meshctl({"--socket", path, "rpc", "x.y", "{\"a\": [1]}"}).out ==
          "{\"got\":{\"a\":[1]}}\n");
    CHECK(run_meshctl({"--socket", path, "rpc", "--list"}).out == "mesh.status  S\n");
    CHECK(run_meshctl({"--socket", path, "rpc", "mesh.status", "--help"}).out ==
          "mesh.status: S\n\nNo params.\n");
    CHECK(run_meshctl({"--socket", path, "rpc", "mesh.status", "--help", "--json"}).out ==
          "{\"name\":\"mesh.status\",\"summary\":\"S\",\"params\":[]}\n");
    CHECK(run_meshctl({"--socket", path, "rpc", "mesh.sttus", "--help"}).exit_code == 2);
}

TEST_CASE("meshctl topology: draws with this box and its round trips") {
    const Session session = responder([](std::string_view method,
                                         const std::string&) -> std::string {
        return method == "mesh.topology"
                   ? R"("result":{"nodes":[{"node_id":"a","status":"alive"},{"node_id":"b","status":"alive"}],"links":[{"a":"a","b":"b","cost":10}]})"
                   : R"("result":{"nodes":[{"node_id":"a","hops":0,"rtt_ms":null},{"node_id":"b","hops":1,"rtt_ms":0.5}]})";
    });
    const FakeDaemon daemon({session, session});
    CHECK(run_meshctl({"--socket", daemon.path(), "topology", "--ascii"}).out ==
          "2 boxes, 1 link (* this box)\n\na* -- b (0.5 ms)\n");
    CHECK(has(run_meshctl({"--socket", daemon.path(), "topology", "--dot"}).out,
              "\"a\" -- \"b\" [label=10];"));
}

TEST_CASE("meshctl version: does without a daemon") {
    const TemporaryDirectory directory;
    const Finished alone = run_meshctl({"--socket", directory.path() + "/x", "version", "--json"});
    CHECK(alone.exit_code == 0);
    CHECK(alone.out == "{\"meshctl\":\"" MESHD_VERSION "\",\"meshd\":null}\n");
    const FakeDaemon daemon(always(R"("result":{"version":"9.9.9"})"));
    CHECK(run_meshctl({"--socket", daemon.path(), "version"}).out == "meshctl " MESHD_VERSION
                                                                     "\nmeshd 9.9.9\n");
}

}  // namespace
}  // namespace meshd::cli
