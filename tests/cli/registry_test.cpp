// SPDX-License-Identifier: Apache-2.0
/// \file
/// The registry verbs as the shell sees them, before a scripted daemon.
#include <doctest/doctest.h>

#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <string_view>

#include "tests/cli/fake_daemon.h"
#include "tests/cli/parsed.h"
#include "tests/cli/run_meshctl.h"
#include "tests/cli/run_verb.h"

namespace meshd::cli {
namespace {

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

/// Runs one of the registry's verbs, as run_verb().
RanVerb run_with(std::string_view member, std::vector<std::string> words,
                 const std::string& input = "") {
    words.insert(words.begin(), "registry");
    return run_verb(member, std::move(words), input);
}

std::string entry(const std::string& hash, const std::string& node = "a") {
    return "{\"hash\":\"" + hash + "\",\"node\":\"" + node +
           R"(","type":"t","timestamp_ms":5,"age_ms":1000,"ttl_ms":null,"space":null,"dimension":null,"metadata":{}})";
}

std::string line(int number) {
    return "{\"hash\":\"h" + std::to_string(number) + R"(","type":"t"})" + "\n";
}

std::string lines(int first, int last) {
    std::string out;
    for (int i = first; i <= last; ++i) {
        out += line(i);
    }
    return out;
}

constexpr const char* kStatus = R"("result":{"node_id":"cam-1","store":{"entries":3}})";

/// Answers mesh.status, and registry.put by `respond(entries, number of the call from 1)`.
Session store(std::function<std::string(const json::Value&, int)> respond) {
    return responder([respond = std::move(respond), calls = 0](std::string_view method,
                                                               const std::string& params) mutable {
        if (method == "mesh.status") {
            return std::string(kStatus);
        }
        const auto document = parsed(params);
        return respond(document.root()["entries"], ++calls);
    });
}

std::string stored(const json::Value& entries) {
    return "\"result\":{\"stored\":" + std::to_string(entries.size()) + ",\"durable\":false}";
}

TEST_CASE("meshctl registry put: options become the params") {
    const TemporaryDirectory directory;
    const std::string vector = directory.path() + "/v.json";
    std::ofstream(vector) << "[1, 2]";
    const RanVerb full =
        run_with(R"("result":{"stored":1,"durable":true})",
                 {"put", "9f86", "--type", "person", "--embedding", vector, "--space", "s",
                  "--metadata", "{\"camera\": 3}", "--ttl", "1h", "--durable"});
    CHECK(full.done.exit_code == 0);
    CHECK(full.done.out == "stored 9f86, kept on disk\n");
    CHECK(full.calls ==
          "registry.put {\"hash\":\"9f86\",\"type\":\"person\",\"embedding\":[1,2],\"space\":\"s\","
          "\"metadata\":{\"camera\":3},\"ttl_ms\":3600000,\"durable\":true}\n");
    const RanVerb piped = run_with(
        R"("result":{"stored":1,"durable":false})",
        {"put", "x", "--type", "t", "--embedding", "-", "--space", "s", "--json"}, "[3]\n");
    CHECK(piped.done.out == "{\"stored\":1,\"durable\":false}\n");
    CHECK(has(piped.calls, R"("embedding":[3])"));
    CHECK(has(run_with(R"("result":{"stored":1,"durable":false})",
                       {"put", "x", "--type", "t", "--durable"})
                  .done.out,
              "NOT on disk"));
}

TEST_CASE("meshctl registry get: shows the sightings, and none is exit code 1") {
    const RanVerb found = run_with("\"result\":{\"entries\":[" + entry("x") + "]}", {"get", "x"});
    CHECK(found.done.exit_code == 0);
    CHECK(found.calls == "registry.get {\"hash\":\"x\"}\n");
    CHECK(found.done.out ==
          "HASH  NODE  TYPE    AGE  TTL  SPACE  METADATA\n"
          "x     a     t     1.0 s    -  -      -\n");
    const RanVerb full = run_with(
        R"("result":{"entries":[{"hash":"x","node":"cam-1","type":"person","age_ms":2000,"ttl_ms":3600000,"space":"arcface","dimension":512,"metadata":{"camera":3}}]})",
        {"get", "x"});
    CHECK(full.done.out ==
          "HASH  NODE   TYPE      AGE        TTL  SPACE          METADATA\n"
          "x     cam-1  person  2.0 s  1 h 0 min  arcface (512)  {\"camera\":3}\n");
    const RanVerb vectors = run_with(
        R"("result":{"entries":[{"hash":"x","node":"a","type":"t","embedding":{"f16":"AAAA"}}]})",
        {"get", "x", "--embedding"});
    CHECK(has(vectors.calls, R"("embedding":true)"));
    CHECK(has(vectors.done.out, "embedding of a: {\"f16\":\"AAAA\"}\n"));
    const RanVerb none = run_with(R"("result":{"entries":[]})", {"get", "x"});
    CHECK(none.done.exit_code == 1);
    CHECK(none.done.out.empty());
    CHECK(none.done.err == "meshctl: no sighting of 'x' is held here\n");
    const RanVerb unknown =
        run_with(R"("error":{"code":300,"message":"unknown entry"})", {"get", "x"});
    CHECK(unknown.done.exit_code == 1);
    const FakeDaemon paged({responder([](std::string_view, const std::string& params) {
        return has(params, R"("after":"a/x")")
                   ? "\"result\":{\"entries\":[" + entry("x", "b") + "],\"next\":null}"
                   : "\"result\":{\"entries\":[" + entry("x") + R"(],"next":"a/x"})";
    })});
    CHECK(run_meshctl({"--socket", paged.path(), "registry", "get", "x"}).out ==
          "HASH  NODE  TYPE    AGE  TTL  SPACE  METADATA\n"
          "x     a     t     1.0 s    -  -      -\n"
          "x     b     t     1.0 s    -  -      -\n");
}

TEST_CASE("meshctl registry rm: says how many, and none is exit code 1") {
    const RanVerb some = run_with(R"("result":{"deleted":2})", {"rm", "x"});
    CHECK(some.done.exit_code == 0);
    CHECK(some.done.out == "deleted 2 sightings of 'x'\n");
    const RanVerb none = run_with(R"("result":{"deleted":0})", {"rm", "x", "--node", "b"});
    CHECK(none.calls == "registry.delete {\"hash\":\"x\",\"node\":\"b\"}\n");
    CHECK(none.done.exit_code == 1);
    CHECK(none.done.err == "meshctl: no sighting of 'x' by 'b' is held here: nothing deleted\n");
}

/// Two pages of registry.list.
Session two_pages(std::string* seen = nullptr) {
    return responder([seen](std::string_view method, const std::string& params) -> std::string {
        if (seen != nullptr) {
            *seen += std::string(method) + " " + params + "\n";
        }
        return has(params, "\"after\"")
                   ? "\"result\":{\"entries\":[" + entry("z") + "],\"next\":null}"
                   : "\"result\":{\"entries\":[" + entry("x") + "," + entry("y") +
                         R"(],"next":"a/y"})";
    });
}

TEST_CASE("meshctl registry ls: one page and a word about more, or all of them") {
    std::string seen;
    {
        const FakeDaemon daemon({two_pages(&seen), two_pages(&seen), two_pages()});
        const std::string path = daemon.path();
        const Finished page = run_meshctl({"--socket", path, "registry", "ls", "--type", "t",
                                           "--prefix", "x", "--max-age", "1m", "--node", "a"});
        CHECK(page.exit_code == 0);
        CHECK(page.err == "meshctl: there are more: --all, or --after a/y\n");
        const Finished all = run_meshctl({"--socket", path, "registry", "ls", "--all"});
        CHECK(all.out ==
              "HASH  NODE  TYPE    AGE  TTL  SPACE  METADATA\n"
              "x     a     t     1.0 s    -  -      -\n"
              "y     a     t     1.0 s    -  -      -\n"
              "z     a     t     1.0 s    -  -      -\n");
        CHECK(all.err.empty());
        const Finished json = run_meshctl({"--socket", path, "registry", "ls", "--all", "--json"});
        CHECK(json.out.find("\"next\":\"a/y\"}\n{\"entries\"") != std::string::npos);
    }
    CHECK(seen ==
          "registry.list {\"type\":\"t\",\"node\":\"a\",\"prefix\":\"x\",\"max_age_ms\":60000,"
          "\"limit\":100}\n"
          "registry.list {\"limit\":1000}\n"
          "registry.list {\"limit\":1000,\"after\":\"a/y\"}\n");
    CHECK(run_with(R"("result":{"entries":[],"next":null})", {"ls"}).done.out == "no entries\n");
}

TEST_CASE("meshctl registry export: all pages, to standard output or to a file once it is whole") {
    std::string seen;
    const TemporaryDirectory directory;
    const std::string file = directory.path() + "/mesh.ndjson";
    {
        const FakeDaemon daemon({two_pages(&seen), two_pages()});
        const Finished out = run_meshctl({"--socket", daemon.path(), "registry", "export"});
        CHECK(out.exit_code == 0);
        CHECK(out.out ==
              "{\"hash\":\"x\",\"type\":\"t\",\"metadata\":{},\"timestamp_ms\":5,\"node\":\"a\","
              "\"age_ms\":1000}\n"
              "{\"hash\":\"y\",\"type\":\"t\",\"metadata\":{},\"timestamp_ms\":5,\"node\":\"a\","
              "\"age_ms\":1000}\n"
              "{\"hash\":\"z\",\"type\":\"t\",\"metadata\":{},\"timestamp_ms\":5,\"node\":\"a\","
              "\"age_ms\":1000}\n");
        CHECK(out.err == "meshctl: exported 3 entries\n");
        CHECK(run_meshctl({"--socket", daemon.path(), "registry", "export", file}).exit_code == 0);
        std::stringstream content;
        content << std::ifstream(file).rdbuf();
        CHECK(content.str() == out.out);
    }
    CHECK(has(seen, R"(registry.list {"limit":1000,"embedding":true})"));
    CHECK(has(seen, R"("after":"a/y","embedding":true)"));
}

TEST_CASE("meshctl registry export: a file is left as it was where the daemon goes away") {
    const TemporaryDirectory directory;
    const std::string file = directory.path() + "/mesh.ndjson";
    std::ofstream(file) << "old\n";
    const FakeDaemon daemon({[](Connection& connection) {
        connection.answer("\"result\":{\"entries\":[" + entry("x") + R"(],"next":"a/x"})");
    }});
    const Finished done = run_meshctl({"--socket", daemon.path(), "registry", "export", file});
    CHECK(done.exit_code == 3);
    CHECK(has(done.err, file + " is left as it was"));
    std::string content;
    std::ifstream(file) >> content;
    CHECK(content == "old");
    const std::filesystem::directory_iterator files(directory.path());
    CHECK(std::distance(begin(files), end(files)) == 1);
}

TEST_CASE("meshctl registry import: lines go in batches of a hundred, as this box's own") {
    std::vector<std::size_t> sizes;
    std::string first;
    {
        const FakeDaemon daemon({store([&](const json::Value& entries, int) {
            sizes.push_back(entries.size());
            if (first.empty()) {
                first = (*entries.begin()).print();
            }
            return stored(entries);
        })});
        const Finished done = run_meshctl({"--socket", daemon.path(), "registry", "import"},
                                          R"({"hash":"h0","type":"t","node":"b","age_ms":3})"
                                          "\n\n" +
                                              lines(1, 749));
        CHECK(done.exit_code == 0);
        CHECK(done.out == "imported 750 entries as sightings by this box, cam-1\n");
        CHECK(done.err.empty());
    }
    CHECK(sizes == std::vector<std::size_t>{100, 100, 100, 100, 100, 100, 100, 50});
    CHECK(first == R"({"hash":"h0","type":"t"})");
}

TEST_CASE("meshctl registry import: a bad line is told with its number, the others go on") {
    const FakeDaemon daemon({store([&](const json::Value& entries, int) -> std::string {
        std::size_t index = 0;
        for (const json::Value& item : entries) {
            if (item["hash"].as_string() == "h3") {
                return R"("error":{"code":302,"message":"entries[1]: wrong dimension","data":{"field":"entries[)" +
                       std::to_string(index) + R"(].embedding"}})";
            }
            ++index;
        }
        return stored(entries);
    })});
    const Finished done = run_meshctl({"--socket", daemon.path(), "registry", "import", "-"},
                                      line(1) + "{\"hash\":\n" + lines(2, 5));
    CHECK(done.exit_code == 4);
    CHECK(done.out ==
          "imported 4 entries as sightings by this box, cam-1\n"
          "  2 refused\n");
    CHECK(has(done.err, "meshctl: standard input:2: no JSON at byte"));
    CHECK(has(done.err, "meshctl: standard input:4: wrong dimension\n"));
}

TEST_CASE("meshctl registry import: the daemon's number of the entry is not repeated") {
    for (const auto& [message, said] : std::map<std::string, std::string>{
             {"entries[0].embedding must be an array, got object",
              "embedding must be an array, got object"},
             {"entries[0] has 70000 bytes", "the entry has 70000 bytes"},
             {"entries[0]: type is required", "type is required"}}) {
        const FakeDaemon daemon({store([&, text = message](const json::Value&, int) {
            return R"("error":{"code":-32602,"message":")" + text +
                   R"(","data":{"field":"entries[0]","got":"object"}})";
        })});
        const Finished done =
            run_meshctl({"--socket", daemon.path(), "registry", "import"}, "\n" + line(1));
        CHECK(done.err == "meshctl: standard input:2: " + said + "\n");
    }
}

TEST_CASE("meshctl registry export: a link that somebody put beside the file is not followed") {
    const TemporaryDirectory directory;
    const std::string file = directory.path() + "/mesh.ndjson";
    std::filesystem::create_symlink(directory.path() + "/theirs", file + ".part");
    std::ofstream(file) << "old\n";
    std::filesystem::permissions(file, std::filesystem::perms(0640));
    const FakeDaemon daemon({responder([](std::string_view, const std::string&) -> std::string {
        return R"("result":{"entries":[],"next":null})";
    })});
    CHECK(run_meshctl({"--socket", daemon.path(), "registry", "export", file}).exit_code == 0);
    CHECK(!std::filesystem::exists(directory.path() + "/theirs"));
    CHECK((std::filesystem::status(file).permissions() == std::filesystem::perms(0640)));
}

TEST_CASE("meshctl registry import: an entry refused without a number is found by halves") {
    const FakeDaemon daemon({store([&](const json::Value& entries, int) -> std::string {
        for (const json::Value& item : entries) {
            if (item["hash"].as_string() == "h6") {
                return R"("error":{"code":301,"message":"entry too large"})";
            }
        }
        return stored(entries);
    })});
    const Finished done =
        run_meshctl({"--socket", daemon.path(), "registry", "import", "--json"}, lines(1, 9));
    CHECK(done.exit_code == 4);
    CHECK(done.out ==
          "{\"node\":\"cam-1\",\"stored\":8,\"refused\":1,\"expired\":0,\"merged\":0,"
          "\"other_nodes\":0,\"lines\":9,\"next_line\":null}\n");
    CHECK(done.err == "meshctl: standard input:6: entry too large\n");
}

TEST_CASE("meshctl registry import: what is overloaded is sent again") {
    const FakeDaemon daemon({store([&](const json::Value& entries, int call) -> std::string {
        return call <= 5 ? R"("error":{"code":900,"message":"busy","data":{"retry_after_ms":1}})"
                         : stored(entries);
    })});
    const Finished done =
        run_meshctl({"--socket", daemon.path(), "registry", "import"}, lines(1, 600));
    CHECK(done.exit_code == 0);
    CHECK(has(done.out, "imported 600 entries"));
}

TEST_CASE("meshctl registry import: of several sightings of one hash the newest counts") {
    std::string put;
    {
        const FakeDaemon daemon({store([&](const json::Value& entries, int) {
            put = entries.print();
            return stored(entries);
        })});
        const Finished done =
            run_meshctl({"--socket", daemon.path(), "registry", "import"},
                        R"({"hash":"x","type":"t","node":"a","timestamp_ms":5})"
                        "\n"
                        R"({"hash":"x","type":"t","node":"b","timestamp_ms":9})"
                        "\n"
                        R"({"hash":"x","type":"t","node":"c","timestamp_ms":7})"
                        "\n"
                        R"({"hash":"y","type":"t","node":"c","ttl_ms":5,"exported_ms":1000})"
                        "\n");
        CHECK(done.exit_code == 0);
        CHECK(done.out ==
              "imported 1 entry as sightings by this box, cam-1\n"
              "  1 left out: their life is over\n"
              "  2 left out: the same hash with a newer sighting in the file\n");
    }
    CHECK(put == R"([{"hash":"x","type":"t","timestamp_ms":9}])");
}

TEST_CASE("meshctl registry import: lines may be chosen by box and by number") {
    std::string put;
    {
        const FakeDaemon daemon({store([&](const json::Value& entries, int) {
            put = entries.print();
            return stored(entries);
        })});
        const Finished done = run_meshctl({"--socket", daemon.path(), "registry", "import",
                                           "--only-node", "a", "--from-line", "2"},
                                          R"({"hash":"x","type":"t","node":"a"})"
                                          "\n"
                                          R"({"hash":"y","type":"t","node":"b"})"
                                          "\n"
                                          R"({"hash":"z","type":"t","node":"a"})"
                                          "\n");
        CHECK(done.exit_code == 0);
        CHECK(has(done.out, "  1 left out: sightings by other boxes\n"));
    }
    CHECK(put == R"([{"hash":"z","type":"t"}])");
}

TEST_CASE("meshctl registry import: where the daemon goes away it says with which line to go on") {
    const FakeDaemon daemon({[](Connection& connection) {
        connection.answer(kStatus);
        connection.answer(R"("result":{"stored":100,"durable":false})");
        connection.read_line();
    }});
    const Finished done =
        run_meshctl({"--socket", daemon.path(), "registry", "import"}, lines(1, 250));
    CHECK(done.exit_code == 3);
    CHECK(has(done.out, "imported 100 entries"));
    CHECK(has(done.err, "meshctl: go on with --from-line 101\n"));
}

TEST_CASE("meshctl registry import: Ctrl-C settles what is under way and says where to go on") {
    const TemporaryDirectory directory;
    const std::string pipe = directory.path() + "/pipe";
    REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
    std::fstream writer(pipe);
    const FakeDaemon daemon(
        {store([&](const json::Value& entries, int) { return stored(entries); })});
    Meshctl meshctl({"--socket", daemon.path(), "registry", "import", pipe, "--json"});
    // The bad line is told once it is read, so what is before it has been read too.
    writer << lines(1, 130) << std::flush;
    meshctl.wait_for_error([&] { writer << "bad\n" << std::flush; });
    meshctl.send_signal(SIGINT);
    const Finished done = meshctl.finish();
    CHECK(done.exit_code == 4);
    CHECK(has(done.out, "\"stored\":100"));
    CHECK(has(done.out, "\"next_line\":101"));
    CHECK(has(done.err, "interrupted"));
    CHECK(has(done.err, "go on with --from-line 101"));
}

TEST_CASE("meshctl registry import: a refusal that is of no line ends it") {
    const FakeDaemon daemon({store([&](const json::Value&, int) -> std::string {
        return R"("error":{"code":-32603,"message":"a bug"})";
    })});
    const Finished done =
        run_meshctl({"--socket", daemon.path(), "registry", "import"}, lines(1, 3));
    CHECK(done.exit_code == 1);
    CHECK(has(done.err, "a bug"));
    CHECK(has(done.err, "go on with --from-line 1\n"));
}

}  // namespace
}  // namespace meshd::cli
