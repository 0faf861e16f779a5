// SPDX-License-Identifier: Apache-2.0
/// \file
/// The verbs send, broadcast, ping and trace.
#include <doctest/doctest.h>

#include <csignal>

#include "cli/render.h"
#include "cli/round_trips.h"
#include "tests/cli/parsed.h"
#include "tests/cli/run_verb.h"

namespace meshd::cli {
namespace {

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

constexpr const char* kSent = R"("result":{"node":"cam-5","acknowledged":true,"took_ms":2.34})";

TEST_CASE("meshctl send: object, text and standard input become the note") {
    struct Given {
        std::vector<std::string> words;
        const char* input;
        const char* params;
    };
    const std::vector<Given> all = {
        {{R"({"do": 1})"}, "", R"({"node":"cam-5","note":{"do":1},"timeout_ms":5000})"},
        {{"lights on", "--wait", "20s"},
         "",
         R"({"node":"cam-5","note":{"message":"lights on"},"timeout_ms":20000})"},
        {{"{", "--text", "--no-ack"},
         "",
         R"({"node":"cam-5","note":{"message":"{"},"ack":false,"timeout_ms":5000})"},
        {{"-"}, "{\"do\": 2}\n", R"({"node":"cam-5","note":{"do":2},"timeout_ms":5000})"},
    };
    for (const Given& given : all) {
        std::vector<std::string> words = given.words;
        words.insert(words.begin(), {"send", "cam-5"});
        const RanVerb ran = run_verb(kSent, words, given.input);
        CHECK(ran.done.exit_code == 0);
        CHECK(ran.calls == "notes.send " + std::string(given.params) + "\n");
        CHECK(ran.done.out == "cam-5 has it, after 2.3 ms\n");
    }
}

TEST_CASE("meshctl send: says little where asked, and what is wrong with a note") {
    CHECK(run_verb(kSent, {"send", "cam-5", "x", "--quiet"}).done.out.empty());
    CHECK(run_verb(kSent, {"send", "cam-5", "x", "--json"}).done.out ==
          R"({"node":"cam-5","acknowledged":true,"took_ms":2.34})"
          "\n");
    CHECK(run_verb(R"("result":{"node":"cam-5","acknowledged":false,"took_ms":0.1})",
                   {"send", "cam-5", "x", "--no-ack"})
              .done.out == "sent to cam-5, which was not asked to confirm\n");
    CHECK(has(run_meshctl({"send", "cam-5", "{"}).err, "the note begins like a JSON object but"));
    CHECK(has(run_meshctl({"send", "cam-5", " "}).err, "the note is empty"));
    CHECK(has(run_meshctl({"send", "cam-5"}).err, "NOTE is missing"));
    const Finished unknown = run_verb(R"("error":{"code":100,"message":"no node 'cma-5' is known",)"
                                      R"("data":{"field":"node","did_you_mean":"cam-5"}})",
                                      {"send", "cma-5", "x"})
                                 .done;
    CHECK(unknown.exit_code == 1);
    CHECK(unknown.err == "meshctl: no node 'cma-5' is known; did you mean 'cam-5'?\n");
}

TEST_CASE("meshctl broadcast: says how many boxes it went to") {
    const RanVerb ran = run_verb(R"("result":{"nodes":9})",
                                 {"broadcast", "--topic", "lights", R"({"scene":"night"})"});
    CHECK(ran.done.exit_code == 0);
    CHECK(ran.calls == R"(notes.broadcast {"topic":"lights","note":{"scene":"night"}})"
                       "\n");
    CHECK(ran.done.out == "sent to 9 other boxes\n");
    const RanVerb alone = run_verb(R"("result":{"nodes":0})", {"broadcast", "lights on"});
    CHECK(alone.calls == R"(notes.broadcast {"topic":"meshctl","note":{"message":"lights on"}})"
                         "\n");
    CHECK(alone.done.exit_code == 0);
    CHECK(alone.done.out == "no other box is there to hear it\n");
    CHECK(run_verb(R"("result":{"nodes":1})", {"broadcast", "x", "--json"}).done.out ==
          "{\"nodes\":1}\n");
    CHECK(run_verb(R"("result":{"nodes":1})", {"broadcast", "x", "-q"}).done.out.empty());
}

TEST_CASE("meshctl ping: a line for each answer, then the summary") {
    const RanVerb ran = run_verb(
        R"("result":{"node_id":"cam-5","rtt_ms":2.5,"hops":2,"path":["cam-1","cam-3","cam-5"]})",
        {"ping", "cam-5", "-c", "2", "-i", "10ms", "--wait", "1s"});
    CHECK(ran.done.exit_code == 0);
    CHECK(ran.calls ==
          "mesh.ping {\"node\":\"cam-5\",\"timeout_ms\":1000}\n"
          "mesh.ping {\"node\":\"cam-5\",\"timeout_ms\":1000}\n");
    CHECK(ran.done.out ==
          "cam-5: number 1, 2 hops, 2.5 ms by cam-3\n"
          "cam-5: number 2, 2 hops, 2.5 ms by cam-3\n"
          "cam-5: 2 sent, 2 answered, 0 % lost\n"
          "round trip min 2.5 ms, avg 2.5 ms, max 2.5 ms\n");
}

constexpr const char* kSilent =
    R"("error":{"code":104,"message":"cam-5 has not answered in time","data":{"field":"node"}})";

TEST_CASE("meshctl ping: exit code 4 where nothing came back") {
    const RanVerb ran = run_verb(kSilent, {"ping", "cam-5", "--count", "1"});
    CHECK(ran.done.exit_code == 4);
    CHECK(ran.done.out ==
          "cam-5: number 1, cam-5 has not answered in time\n"
          "cam-5: 1 sent, 0 answered, 100 % lost\n");
    const RanVerb quiet = run_verb(kSilent, {"ping", "cam-5", "-c1", "-q"});
    CHECK(quiet.done.exit_code == 4);
    CHECK(quiet.done.out == "cam-5: 1 sent, 0 answered, 100 % lost\n");
    const RanVerb json = run_verb(kSilent, {"ping", "cam-5", "-c", "1", "--json"});
    CHECK(json.done.exit_code == 4);
    CHECK(json.done.out.empty());
    CHECK(json.done.err == "meshctl: cam-5 has not answered in time\n");
    const RanVerb away =
        run_verb(R"("error":{"code":103,"message":"cam-5 is unreachable, because of cam-4",)"
                 R"("data":{"field":"node","status":"unreachable","because":"cam-4"}})",
                 {"ping", "cam-5", "-c", "1"});
    CHECK(away.done.exit_code == 4);
    CHECK(has(away.done.out, "number 1, cam-5 is unreachable, because of cam-4\n"));
}

TEST_CASE("meshctl ping: one answer of several is no failure, a refusal ends it at once") {
    int calls = 0;
    const FakeDaemon daemon({responder([&](std::string_view, const std::string&) -> std::string {
        return ++calls == 1 ? kSilent
                            : R"("result":{"node_id":"b","rtt_ms":1,"hops":1,"path":["a","b"]})";
    })});
    const Finished done =
        run_meshctl({"--socket", daemon.path(), "ping", "b", "-c", "2", "-i", "10ms"});
    CHECK(done.exit_code == 0);
    CHECK(has(done.out, "b: number 2, 1 hop, 1.0 ms\n"));
    CHECK(has(done.out, "b: 2 sent, 1 answered, 50 % lost\n"));
    const RanVerb refused = run_verb(R"("error":{"code":100,"message":"no node 'x' is known"})",
                                     {"ping", "x", "-c", "3"});
    CHECK(refused.done.exit_code == 1);
    CHECK(refused.done.out.empty());
    CHECK(refused.done.err == "meshctl: no node 'x' is known\n");
}

TEST_CASE("meshctl ping: Ctrl-C ends it with the summary") {
    const FakeDaemon daemon({responder([](std::string_view, const std::string&) -> std::string {
        return R"("result":{"node_id":"b","rtt_ms":1,"hops":1,"path":["a","b"]})";
    })});
    Meshctl meshctl({"--socket", daemon.path(), "ping", "b", "-c", "0", "-i", "1h"});
    CHECK(meshctl.read_line() == "b: number 1, 1 hop, 1.0 ms");
    meshctl.send_signal(SIGINT);
    CHECK(meshctl.read_line() == "b: 1 sent, 1 answered, 0 % lost");
    CHECK(meshctl.finish().exit_code == 0);
}

TEST_CASE("round trips: least, mean and most of what was answered") {
    RoundTrips trips;
    trips.add(4);
    trips.add(std::nullopt);
    trips.add(1);
    trips.add(1);
    CHECK(trips.print("b") ==
          "b: 4 sent, 3 answered, 25 % lost\n"
          "round trip min 1.0 ms, avg 2.0 ms, max 4.0 ms\n");
    CHECK(RoundTrips().print("b") == "b: 0 sent, 0 answered\n");
}

constexpr const char* kTrace =
    R"("result":{"node_id":"d","complete":false,"hops":[{"hop":1,"node_id":"b","rtt_ms":0.5},)"
    R"({"hop":2,"node_id":"c","rtt_ms":null},{"hop":3,"node_id":"d","rtt_ms":1.5}]})";

TEST_CASE("meshctl trace: a row for each hop, and what is silent makes the exit code 4") {
    const RanVerb ran = run_verb(kTrace, {"trace", "d"});
    CHECK(ran.done.exit_code == 4);
    CHECK(ran.calls == "mesh.trace {\"node\":\"d\",\"timeout_ms\":2000}\n");
    CHECK(ran.done.out ==
          "HOP  NODE     RTT\n"
          "  1  b     0.5 ms\n"
          "  2  c          *\n"
          "  3  d     1.5 ms\n");
    CHECK(ran.done.err == "meshctl: not all hops to d answered within 2.0 s\n");
    CHECK(run_verb(kTrace, {"trace", "d", "-q"}).done.err.empty());
    const RanVerb json = run_verb(kTrace, {"trace", "d", "--json"});
    CHECK("\"result\":" + json.done.out == std::string(kTrace) + "\n");
    const RanVerb full = run_verb(
        R"("result":{"node_id":"b","complete":true,"hops":[{"hop":1,"node_id":"b","rtt_ms":0.5}]})",
        {"trace", "b"});
    CHECK(full.done.exit_code == 0);
    CHECK(full.done.err.empty());
}

}  // namespace
}  // namespace meshd::cli
