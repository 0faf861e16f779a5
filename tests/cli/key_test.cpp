// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <fstream>

#include "cli/key_token.h"
#include "cli/render.h"
#include "tests/cli/parsed.h"
#include "tests/cli/run_verb.h"

namespace meshd::cli {
namespace {

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

constexpr const char* kToken =
    "mesh1-00000-0r00w-71a71-358rk-gft69-na5pr-k9e1v-qx1cc-jeda3-a5fpt-yw9jy-jv4pb-762x";
constexpr const char* kMade =
    R"("result":{"id":"1a098fca","generation":1,"token":"mesh1-00000-0r00w","lacking":[],)"
    R"("removed":["00000001"]})";
constexpr const char* kJoined =
    R"("result":{"id":"1a098fca","generation":1,"active":true,"added":true})";

TEST_CASE("meshctl key new: the token alone is on standard output, what comes next on the other") {
    const RanVerb ran = run_verb(kMade, {"key", "new"});
    CHECK(ran.done.exit_code == 0);
    CHECK(ran.calls == "keys.new {}\n");
    CHECK(ran.done.out == "mesh1-00000-0r00w\n");
    CHECK(has(ran.done.err, "made key 1a098fca, generation 1"));
    CHECK(has(ran.done.err, "meshctl key join"));
    CHECK(run_verb(kMade, {"key", "new", "--quiet"}).done.err.empty());
    CHECK(run_verb(kMade, {"key", "new", "--json"}).done.out ==
          R"({"id":"1a098fca","generation":1,"token":"mesh1-00000-0r00w","lacking":[],)"
          R"("removed":["00000001"]})"
          "\n");
}

TEST_CASE("meshctl key join: the token comes from standard input or a file") {
    const TemporaryDirectory directory;
    const std::string file = directory.path() + "/token";
    std::ofstream(file) << kToken << "\n";
    const std::string call = R"(keys.join {"token":")" + std::string(kToken) + "\\n\"}\n";
    const RanVerb piped = run_verb(kJoined, {"key", "join"}, std::string(kToken) + "\n");
    CHECK(piped.done.exit_code == 0);
    CHECK(piped.calls == call);
    CHECK(piped.done.out ==
          "joined: this box seals with key 1a098fca, generation 1, from now on\n");
    CHECK(run_verb(kJoined, {"key", "join", "--file", "-"}, std::string(kToken) + "\n").calls ==
          call);
    CHECK(run_verb(kJoined, {"key", "join", "--file", file}).calls == call);
    CHECK(run_verb(kJoined, {"key", "join", "--json"}, kToken).done.out ==
          R"({"id":"1a098fca","generation":1,"active":true,"added":true})"
          "\n");
    CHECK(has(run_verb(R"("result":{"id":"a","generation":2,"active":false,"added":true})",
                       {"key", "join"}, kToken)
                  .done.out,
              "this box holds key a, generation 2; it stays with the one it uses now until"));
    CHECK(run_verb(R"("result":{"id":"a","generation":2,"active":true,"added":false})",
                   {"key", "join"}, kToken)
              .done.out == "key a, generation 2, is held already\n");
}

TEST_CASE("meshctl key: where the mode seals nothing it does not say that it does") {
    const auto run = [](std::string_view mode, std::vector<std::string> words) {
        const std::string result = R"("result":{"id":"a","generation":1,"token":"mesh1-0",)"
                                   R"("active":true,"added":true,"mode":")" +
                                   std::string(mode) + "\"}";
        const Finished done = run_verb(result, std::move(words), kToken).done;
        return done.out + done.err;
    };
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"key", "new"}, {"key", "join"}, {"key", "replace"}, {"key", "replace", "--join"}}) {
        CAPTURE(words.back());
        const std::string open = run("open", words);
        CHECK(has(open, "security.mode is open: nothing is sealed until it is sealed"));
        CHECK_FALSE(has(open, "seals with"));
        CHECK(has(run("mixed", words), "security.mode is mixed: boxes without a key take part"));
        CHECK_FALSE(has(run("sealed", words), "security.mode"));
    }
}

TEST_CASE("meshctl key: a token on the command line is refused and not repeated") {
    const std::string token = kToken;
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"key", "join", token},
             {"key", "replace", "--join", token},
             {"key", "join", "--file", token},
             {"key", "join", "--token", token},
             {"key", "join", "--token=" + token},
             {"key", "join", "--file=" + token},
             {"key", "new", token},
             {"key", token},
             {token},
             {"key", "rm", token},
         }) {
        const Finished done = run_meshctl(words, "");
        CAPTURE(words[words.size() - 2 < words.size() ? words.size() - 2 : 0]);
        CHECK(done.exit_code == 2);
        CHECK_FALSE(has(done.err + done.out, "0r00w"));
        CHECK(has(done.err, "token"));
    }
    CHECK(has(run_meshctl({"key", "join", token}).err, "a token must not stand on a command line"));
}

TEST_CASE("meshctl key join: says what is wrong before and after asking the daemon") {
    CHECK(run_meshctl({"key", "join"}, " \n").err == "meshctl: no token was given\n");
    CHECK(run_meshctl({"key", "join"}, " \n").exit_code == 2);
    CHECK(run_meshctl({"key", "join"}, "\xff").err == "meshctl: what was given is no token\n");
    CHECK(has(run_meshctl({"key", "join", "--file", "/none"}).err, "cannot read /none"));
    CHECK(has(run_meshctl({"key", "join"}, std::string(5000, 'x')).err, "is longer than 4"));
    const Finished wrong =
        run_verb(R"("error":{"code":702,"message":"this is no token of a mesh key: too short"})",
                 {"key", "join"}, "mesh1-0")
            .done;
    CHECK(wrong.exit_code == 1);
    CHECK(wrong.err == "meshctl: this is no token of a mesh key: too short\n");
    CHECK(run_verb(R"("error":{"code":901,"message":"keys.new is for root"})", {"key", "new"})
              .done.exit_code == 5);
}

TEST_CASE("meshctl key ls: a table of keys, tokens only where asked, and what a mode means") {
    const auto list = [](std::string_view mode, std::string_view keys) {
        const auto document =
            parsed(R"({"mode":")" + std::string(mode) + R"(","keys":)" + std::string(keys) + "}");
        return render_keys(document.root(), Style{});
    };
    CHECK(list("sealed", "[]") ==
          "no mesh key: this box speaks with nobody; the first box gets one by\n"
          "  meshctl key new\nall others by\n  meshctl key join\n");
    CHECK(list("open", "[]").starts_with("no mesh key; the first box"));
    const char* keys =
        R"([{"id":"00000001","generation":1,"active":false,"origin":"joined","confirmed":3,)"
        R"("nodes":3,"lacking":[]},{"id":"00000002","generation":2,"active":true,)"
        R"("origin":"received","confirmed":2,"nodes":3,)"
        R"("lacking":[{"node_id":"cam-3","status":"offline"}]},)"
        R"({"id":"00000003","generation":3,"active":false,"origin":"created","confirmed":1,)"
        R"("nodes":3,"lacking":[{"node_id":"cam-2","status":"alive"},)"
        R"({"node_id":"cam-3","status":"left"}],"token":"mesh1-x"}])";
    CHECK(list("sealed", keys) ==
          "KEY       GENERATION  STATE   ORIGIN     BOXES  WITHOUT IT\n"
          "00000001           1  old     joined    3 of 3  -\n"
          "00000002           2  active  received  2 of 3  cam-3 (offline)\n"
          "00000003           3  next    created   1 of 3  cam-2, cam-3 (left)\n"
          "\n00000003  mesh1-x\n");
    CHECK(list("mixed", keys)
              .ends_with("security.mode is mixed: boxes without a key take part too\n"));
    const RanVerb ran = run_verb(R"("result":{"mode":"sealed","active":null,"keys":[]})",
                                 {"key", "ls", "--secrets"});
    CHECK(ran.calls == "keys.list {\"secrets\":true}\n");
    CHECK(run_verb(R"("result":{"mode":"open","keys":[]})", {"key", "ls", "--json"}).done.out ==
          R"({"mode":"open","keys":[]})"
          "\n");
}

TEST_CASE("meshctl key rotate: prints the token, and waits where asked") {
    const RanVerb ran = run_verb(kMade, {"key", "rotate"});
    CHECK(ran.done.exit_code == 0);
    CHECK(ran.done.out == "mesh1-00000-0r00w\n");
    CHECK(has(ran.done.err, "meshctl key ls"));
    const char* both =
        R"("result":{"id":"1a098fca","generation":2,"token":"mesh1-0","active":"1a098fca"})";
    const RanVerb waited = run_verb(both, {"key", "rotate", "--wait", "5"});
    CHECK(waited.done.exit_code == 0);
    CHECK(waited.calls == "keys.rotate {}\nkeys.list {}\n");
    CHECK(has(waited.done.err, "all boxes that are alive seal with it now"));
    const char* late =
        R"("result":{"id":"2","generation":2,"token":"mesh1-0","active":"1","keys":[{"id":"2",)"
        R"("lacking":[{"node_id":"cam-3","status":"alive"}]}]})";
    const RanVerb in_vain = run_verb(late, {"key", "rotate", "--wait", "1ms"});
    CHECK(in_vain.done.exit_code == 4);
    CHECK(has(in_vain.done.err, "without the new one: cam-3"));
}

TEST_CASE(
    "meshctl key rotate: another key of the same generation ends the wait, and voids the token") {
    const char* other =
        R"("result":{"id":"2","generation":2,"token":"mesh1-0","active":"3","keys":[)"
        R"({"id":"3","generation":2,"active":true},{"id":"1","generation":1,"active":false}]})";
    const RanVerb ran = run_verb(other, {"key", "rotate", "--wait", "60", "--quiet"});
    CHECK(ran.done.exit_code == 0);
    CHECK(ran.done.err ==
          "meshctl: key 3, made elsewhere at the same time, is in use; the token above is void\n");
}

TEST_CASE("meshctl key rm: by id, with force where asked, and says who is locked out") {
    const RanVerb ran = run_verb(
        R"("result":{"id":"00000001","removed":true,"lacking":[{"node_id":"cam-3","status":"offline"}]})",
        {"key", "rm", "00000001", "--force"});
    CHECK(ran.calls == "keys.remove {\"id\":\"00000001\",\"force\":true}\n");
    CHECK(ran.done.out ==
          "removed key 00000001 from this box; the others remove theirs by the same command\n"
          "locked out: cam-3 (offline)\n");
    const Finished refused =
        run_verb(R"("error":{"code":704,"message":"the active key is lacking at cam-3"})",
                 {"key", "rm", "00000001"})
            .done;
    CHECK(refused.exit_code == 1);
    CHECK(has(refused.err, "lacking at cam-3"));
    CHECK(run_meshctl({"key", "rm"}).exit_code == 2);
}

TEST_CASE("meshctl key replace: a new key, or the one of another box") {
    const RanVerb fresh = run_verb(kMade, {"key", "replace"});
    CHECK(fresh.calls == "keys.replace {}\n");
    CHECK(fresh.done.out == "mesh1-00000-0r00w\n");
    CHECK(has(fresh.done.err, "meshctl key replace --join"));
    const RanVerb joined = run_verb(kMade, {"key", "replace", "--join"}, kToken);
    CHECK(joined.calls == R"(keys.replace {"token":")" + std::string(kToken) + "\"}\n");
    CHECK(joined.done.out ==
          "this box seals with key 1a098fca, generation 1, and has no other key\n");
}

TEST_CASE("key token: words that may be one are known whatever they look like") {
    for (const char* word : {kToken, "MESH1-00000-0R00W", "mesh100000", "'mesh1 00000'",
                             "meshl-00000-0r00w", "-mesh1-00000-0r00w"}) {
        CHECK(looks_like_token(word));
    }
    for (const char* word : {"mesh", "mesh1", "mesh1-key", "cam-1", "", "--file", "token.txt"}) {
        CHECK_FALSE(looks_like_token(word));
    }
}

}  // namespace
}  // namespace meshd::cli
