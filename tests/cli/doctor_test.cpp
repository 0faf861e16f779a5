// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "tests/cli/fake_daemon.h"
#include "tests/cli/parsed.h"
#include "tests/cli/run_meshctl.h"

namespace meshd::cli {
namespace {

using Results = std::map<std::string, std::string, std::less<>>;

/// A daemon to which nothing is wrong.
Results healthy() {
    return {
        {"mesh.status",
         R"({"node_id":"a","mesh":"home","version":"0.1.0","security":"sealed","sealing":{"key":"0a0b0c0d","without_newest":[],"not_sealed":[]},"uptime_s":7200,)"
         R"("nodes_alive":2,"left":false,"isolated":false,"warnings":[],"store":{"durable":true}})"},
        {"mesh.stats",
         R"({"datagrams_received":1000,"counters":{"storage_bytes":1000},"drops":{}})"},
        {"mesh.nodes",
         R"({"nodes":[{"node_id":"a","status":"alive"},{"node_id":"b","status":"alive"}]})"},
        {"mesh.peers", R"({"peers":[{"node_id":"b","loss":0,"up_for_s":9,"agreed_ms":100}]})"},
        {"mesh.topology",
         R"({"nodes":[{"node_id":"a","status":"alive"},{"node_id":"b","status":"alive"}],)"
         R"("links":[{"a":"a","b":"b","cost":10}]})"},
        {"mesh.diagnosis",
         R"({"pid":1,"interfaces":[{"name":"eth0","address":"10.0.0.1:9999","mtu":1500}],)"
         R"("receive_drops":0,"state_dir":"/s","disk_free_bytes":9000000000,"clock_off_ms":5,)"
         R"("hops_max":32,"strangers":[],"unanswered":[],"versions":[{"version":"0.1.0","nodes":["a"]}]})"},
    };
}

struct Doctored {
    std::map<std::string, Findings, std::less<>> by_check;  ///< of those that found something
    std::size_t count = 0;
};

Doctored doctor(const Results& results) {
    std::map<std::string, json::Document, std::less<>> documents;
    for (const auto& [method, text] : results) {
        documents.emplace(method, parsed(text));
    }
    const auto result = [&](std::string_view method) {
        const auto it = documents.find(method);
        return it == documents.end() ? json::Value() : it->second.root();
    };
    const DoctorFacts facts{result("mesh.status"),   result("mesh.stats"),
                            result("mesh.nodes"),    result("mesh.peers"),
                            result("mesh.topology"), result("mesh.diagnosis")};
    Doctored out;
    for (const Check& check : doctor_checks()) {
        for (Finding& finding : check.run(facts)) {
            finding.remedy = finding.remedy.empty() ? std::string(check.remedy) : finding.remedy;
            out.by_check[std::string(check.name)].push_back(std::move(finding));
            ++out.count;
        }
    }
    return out;
}

Results with(std::string_view method, const std::string& what, const std::string& by) {
    Results results = healthy();
    std::string& text = results.find(method)->second;
    const std::size_t at = text.find(what);
    REQUIRE(at != std::string::npos);
    text.replace(at, what.size(), by);
    return results;
}

TEST_CASE("doctor: a healthy mesh has no findings, and every check says what is well") {
    CHECK(doctor(healthy()).count == 0);
    std::set<std::string_view> names;
    for (const Check& check : doctor_checks()) {
        CHECK(names.insert(check.name).second);
        CHECK(!check.all_well.empty());
    }
}

struct Case {
    std::string_view check;
    Severity severity;
    Results results;
    std::string_view what;    ///< in its words
    std::string_view remedy;  ///< in what to do
};

std::vector<Case> troubles() {
    const auto warning = [](const std::string& text) {
        return with("mesh.status", R"("warnings":[])", R"("warnings":[")" + text + "\"]");
    };
    return {
        {"daemon", Severity::Problem, with("mesh.status", R"("left":false)", R"("left":true)"),
         "a has left the mesh", "meshctl discover"},
        {"daemon", Severity::Problem,
         with("mesh.status", R"("isolated":false)", R"("isolated":true,"isolated_ms":5000)"),
         "cut off from all others for 5", "ip -brief link"},
        {"key", Severity::Problem, with("mesh.status", R"("key":"0a0b0c0d")", R"("key":null)"),
         "a has no key", "meshctl key join"},
        {"key", Severity::Note,
         with("mesh.status", R"("security":"sealed")", R"("security":"open")"), "the mesh is open",
         "on each other box: meshctl key join; then on each"},
        {"key", Severity::Note,
         with("mesh.status", R"("security":"sealed","sealing":{"key":"0a0b0c0d")",
              R"("security":"open","sealing":{"key":null)"),
         "the mesh is open", "meshctl key new; then on each other box: meshctl key join"},
        {"key", Severity::Warning,
         with("mesh.status", R"("without_newest":[])", R"("without_newest":["c"])"),
         "c has not got the newest key that a holds", "on c: meshctl key join"},
        {"key", Severity::Warning,
         with("mesh.status", R"("not_sealed":[])", R"("not_sealed":["c"])"), "c speaks in the open",
         "security.mode: sealed"},
        {"key", Severity::Warning,
         with("mesh.diagnosis", R"("strangers":[])",
              R"("strangers":[{"kind":"other_key","name":null,"address":"10.0.0.7:9999"}])"),
         "10.0.0.7:9999 uses a key that a has not", "on 10.0.0.7: meshctl key join"},
        {"other meshes", Severity::Note,
         with("mesh.diagnosis", R"("strangers":[])",
              R"("strangers":[{"kind":"other_mesh","name":"farm","address":"10.0.0.7:9999"}])"),
         "mesh 'farm' is heard from 10.0.0.7:9999, this one is 'home'", "mesh.name: home"},
        {"other meshes", Severity::Warning,
         with("mesh.diagnosis", R"("strangers":[])",
              R"("strangers":[{"kind":"other_version","name":null,"address":"10.0.0.7:9999"}])"),
         "another version of the protocol", "install the same meshd"},
        {"beacons", Severity::Problem,
         warning("eth0: own beacons by multicast are not heard back: a packet filter of this host"),
         "own beacons by multicast", "nft insert rule inet filter input udp dport 9999 accept"},
        {"beacons", Severity::Warning,
         warning("eth0: beacons of other nodes come by broadcast only: the network"),
         "by broadcast only", "IGMP snooping"},
        {"configuration", Severity::Problem,
         warning("the configuration on disk is wrong, a restart fails: bootstrap address x"),
         "a restart fails", "meshd --check-config"},
        {"port", Severity::Problem,
         warning("UDP 10.0.0.1:9999 on eth0 is taken; no links by this interface, next try in 5 s"),
         "is taken", "ss -ulpn 'sport = :9999'"},
        {"interface", Severity::Problem, warning("no usable network interface: waiting for one"),
         "no usable network interface", "ip -brief address"},
        {"bootstrap", Severity::Warning,
         warning("bootstrap address cam.lan:9999: no such name; asked again"), "no such name",
         "getent hosts cam.lan;"},
        {"name", Severity::Problem, warning("another node uses the name a (at 10.0.0.2:9999)"),
         "another node uses the name", "mesh.node_id: NAME"},
        {"disk", Severity::Problem,
         warning("/s: no space left (x): alerts still go out, nothing is kept until there is room"),
         "no space left", "df -h"},
        {"disk", Severity::Problem, with("mesh.diagnosis", "9000000000", "1000000"),
         "are free for /s", "df -h /s"},
        {"disk", Severity::Warning, with("mesh.status", R"("durable":true)", R"("durable":false)"),
         "nothing is kept on disk", "df -h"},
        {"disk", Severity::Warning,
         with("mesh.stats", R"("storage_bytes":1000)", R"("storage_bytes":90000000)"),
         "a day are written", "meshctl watch"},
        {"one-way", Severity::Problem,
         with("mesh.diagnosis", R"("unanswered":[])",
              R"("unanswered":[{"node_id":"c","address":"10.0.0.3:9999","failures":3}])"),
         "a hears c (10.0.0.3:9999), which does not answer",
         "on c: sudo nft insert rule inet filter input ip saddr 10.0.0.1 udp dport 9999 accept"},
        {"one-way", Severity::Warning,
         with("mesh.diagnosis", R"("unanswered":[])",
              R"("unanswered":[{"node_id":"b","address":"10.0.0.2:9999","failures":3}])"),
         "there is another way to it", "on b: sudo nft"},
        {"nodes", Severity::Problem,
         with(
             "mesh.nodes", R"({"node_id":"b","status":"alive"})",
             R"({"node_id":"b","status":"offline","last_seen_ms":180000,"address":"10.0.0.2:9999"})"),
         "b is offline for 3 min, last at 10.0.0.2:9999",
         "ping -c3 10.0.0.2; on b: systemctl status"},
        {"nodes", Severity::Problem,
         with(
             "mesh.nodes", R"({"node_id":"b","status":"alive"})",
             R"({"node_id":"b","status":"unreachable","because":"c","last_seen_ms":1000,"address":null})"),
         "b is unreachable for 1.0 s, behind c", "bring c back first"},
        {"links", Severity::Problem, with("mesh.peers", R"("loss":0)", R"("loss":0.5)"),
         "the link a -- b loses 50 %", "meshctl ping b"},
        {"stores", Severity::Warning,
         with("mesh.peers", R"("agreed_ms":100)", R"("agreed_ms":90000)"),
         "a and b have not held the same data for ", "meshctl stats"},
        {"versions", Severity::Warning,
         with("mesh.diagnosis", R"({"version":"0.1.0","nodes":["a"]})",
              R"({"version":"0.1.0","nodes":["a"]},{"version":"0.2.0","nodes":["b"]})"),
         "0.1.0 on a; 0.2.0 on b", "upgrade"},
        {"clock", Severity::Problem,
         with("mesh.diagnosis", R"("clock_off_ms":5)", R"("clock_off_ms":-90000)"),
         " behind the mesh's", "timedatectl"},
        {"clock", Severity::Warning,
         with("mesh.diagnosis", R"("clock_off_ms":5)", R"("clock_off_ms":3000)"), "ahead of",
         "timedatectl"},
        {"receive buffer", Severity::Warning,
         with("mesh.diagnosis", R"("receive_drops":0)", R"("receive_drops":100)"),
         "dropped 100 datagrams", "net.core.rmem_max"},
        {"mtu", Severity::Warning, with("mesh.diagnosis", R"("mtu":1500)", R"("mtu":576)"),
         "eth0 takes datagrams of 576 bytes only", "mtu 1500"},
        {"memory", Severity::Warning, warning("no room for the records of all nodes: 3 streams"),
         "no room", "store.memory_max"},
        {"responders", Severity::Warning,
         warning("a local process of user 7 does not answer the searches it serves (person)"),
         "of user 7", "restart the program"},
        {"other warnings", Severity::Warning, warning("something quite new"), "something quite new",
         "journalctl"},
    };
}

TEST_CASE("doctor: each trouble is found, told with the boxes concerned, and has a remedy") {
    for (const Case& one : troubles()) {
        CAPTURE(one.what);
        const Doctored found = doctor(one.results);
        CHECK(found.count == 1);
        const auto it = found.by_check.find(one.check);
        REQUIRE(it != found.by_check.end());
        const Finding& finding = it->second.front();
        CHECK((finding.severity == one.severity));
        CHECK(finding.what.find(one.what) != std::string::npos);
        CAPTURE(finding.what);
        CAPTURE(finding.remedy);
        CHECK(finding.remedy.find(one.remedy) != std::string::npos);
    }
}

/// All that doctor may tell to do, with what the daemon said put in.
std::vector<std::string> remedies() {
    std::vector<std::string> out;
    for (const Case& one : troubles()) {
        for (const auto& [check, findings] : doctor(one.results).by_check) {
            for (const Finding& finding : findings) {
                out.push_back(finding.remedy);
            }
        }
    }
    for (const Check& check : doctor_checks()) {
        out.emplace_back(check.remedy);
    }
    return out;
}

TEST_CASE("doctor: each meshctl command among the remedies is one") {
    std::size_t commands = 0;
    for (const std::string& remedy : remedies()) {
        constexpr std::string_view kProgram = "meshctl ";
        for (std::size_t at = remedy.find(kProgram); at != std::string::npos;
             at = remedy.find(kProgram, at + 1)) {
            const std::size_t begin = at + kProgram.size();
            const std::size_t end = remedy.find_first_of(",;:()", begin);
            std::istringstream text(remedy.substr(begin, end - begin));
            const std::vector<std::string> words{std::istream_iterator<std::string>(text), {}};
            const std::string err = run_meshctl(words, "", {"MESHD_SOCKET=/none"}).err;
            CAPTURE(remedy);
            CAPTURE(err);
            CHECK(err.find("see: meshctl") == std::string::npos);
            ++commands;
        }
    }
    CHECK(commands > 10);
}

TEST_CASE("doctor: what a remedy wants in meshd.yaml is a key of it") {
    std::set<std::string> keys;
    std::set<std::string> sections;
    std::ifstream file(MESHD_SOURCE_DIR "/etc/meshd.yaml");
    const std::regex line_of_key("^(?:  # )?([a-z_]+):.*");
    std::string section;
    for (std::string line; std::getline(file, line);) {
        std::smatch match;
        if (std::regex_match(line, match, line_of_key)) {
            section = line[0] == ' ' ? section : match[1].str();
            keys.insert(line[0] == ' ' ? section + "." + match[1].str() : section);
            sections.insert(section);
        }
    }
    REQUIRE(keys.contains("mesh.node_id"));
    const std::regex name("\\b([a-z]+)\\.[a-z_]+");
    for (const std::string& remedy : remedies()) {
        CAPTURE(remedy);
        std::size_t known = 0;
        for (std::sregex_iterator it(remedy.begin(), remedy.end(), name), end; it != end; ++it) {
            if (sections.contains((*it)[1].str())) {
                CHECK(keys.contains(it->str()));
                ++known;
            }
        }
        CHECK((known > 0 || remedy.find("in meshd.yaml") == std::string::npos));
        CHECK((known > 0 || remedy.find("its meshd.yaml") == std::string::npos));
    }
}

TEST_CASE("doctor: the daemon still says the words by which its warnings are known") {
    std::string said;
    for (const char* part : {"/daemon", "/proto"}) {
        using Walk = std::filesystem::recursive_directory_iterator;
        for (const auto& entry : Walk(std::string(MESHD_SOURCE_DIR) + part)) {
            if (entry.path().extension() == ".cpp") {
                std::ostringstream text;
                text << std::ifstream(entry.path()).rdbuf();
                said += text.str();
            }
        }
    }
    // A sentence that goes over several lines of the source is one.
    std::string joined;
    for (std::size_t at = 0; at < said.size(); ++at) {
        const std::size_t next = said.find_first_not_of(" \n", at + 1);
        const bool is_seam = said[at] == '"' && next != std::string::npos && next > at + 1 &&
                             said[next] == '"' && said[at + 1] == '\n';
        is_seam ? static_cast<void>(at = next) : joined.push_back(said[at]);
    }
    for (const std::string_view words : known_warning_words()) {
        CAPTURE(words);
        CHECK(joined.find(words) != std::string::npos);
    }
}

TEST_CASE("doctor: a mesh near the hop limit is told with the two boxes farthest apart") {
    Results results = healthy();
    std::string nodes;
    std::string links;
    for (int i = 0; i < 25; ++i) {
        const std::string name = "n" + std::to_string(100 + i);
        nodes += (i > 0 ? "," : "") + (R"({"node_id":")" + name) + R"(","status":"alive"})";
        if (i > 0) {
            links += (i > 1 ? "," : "") + (R"({"a":"n)" + std::to_string(99 + i)) + R"(","b":")" +
                     name + R"(","cost":10})";
        }
    }
    results["mesh.topology"] = R"({"nodes":[)" + nodes + R"(],"links":[)" + links + "]}";
    const Doctored found = doctor(results);
    REQUIRE(found.by_check.contains("diameter"));
    const Finding& finding = found.by_check.at("diameter").front();
    CHECK(finding.what.find("24 hops from n100 to n124") != std::string::npos);
    CHECK((finding.severity == Severity::Warning));
}

Session daemon_with(Results results) {
    return responder([results = std::move(results)](std::string_view method, const std::string&) {
        const auto it = results.find(method);
        return it == results.end() ? std::string(R"("error":{"code":-32601,"message":"no"})")
                                   : "\"result\":" + it->second;
    });
}

TEST_CASE("doctor: the exit code tells the worst finding, and --quiet shows no more than those") {
    const auto run = [](const Results& results, const char* option) {
        const FakeDaemon daemon({daemon_with(results)});
        return run_meshctl({"--socket", daemon.path(), "doctor", option});
    };
    Finished done = run(healthy(), "-q");
    CHECK(done.exit_code == 0);
    CHECK(done.out.empty());
    done = run(healthy(), "--no-color");
    CHECK(done.out.find("ok       clock") != std::string::npos);
    done = run(with("mesh.diagnosis", R"("mtu":1500)", R"("mtu":576)"), "-q");
    CHECK(done.exit_code == 4);
    CHECK(done.out.find("warning  mtu             eth0 takes") == 0);
    CHECK(done.out.find("\n                         -> sudo ip link") != std::string::npos);
    done = run(with("mesh.peers", R"("loss":0)", R"("loss":0.5)"), "--json");
    CHECK(done.exit_code == 1);
    const auto document = parsed(done.out);
    CHECK(document.root()["worst"].as_string() == "problem");
    CHECK(document.root()["findings"].size() == doctor_checks().size());
}

TEST_CASE("doctor: a daemon that knows less than meshctl is examined as far as it goes") {
    Results results = healthy();
    results.erase("mesh.diagnosis");
    const Doctored found = doctor(results);
    CHECK(found.count == 1);
    CHECK(found.by_check.contains("daemon"));
}

TEST_CASE("doctor: without a daemon it says which socket, what is there, and how to start one") {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/meshd.sock";
    Finished done = run_meshctl({"--socket", path, "doctor"});
    CHECK(done.exit_code == 3);
    CHECK(done.out.find(path + " does not exist") != std::string::npos);
    CHECK(done.out.find("meshd --socket " + path) != std::string::npos);
    // A socket that its owner left behind.
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const ipc::Descriptor left(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(bind(left.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    done = run_meshctl({"--socket", path, "doctor", "--json"});
    CHECK(done.exit_code == 3);
    const auto document = parsed(done.out);
    CHECK(document.root()["worst"].as_string() == "problem");
}

TEST_CASE("doctor: a daemon whose socket file was deleted is told with its process") {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/meshd.sock";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const ipc::Descriptor alive(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(bind(alive.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(alive.get(), 1) == 0);
    unlink(path.c_str());
    const Finished done = run_meshctl({"--socket", path, "doctor"});
    CHECK(done.exit_code == 3);
    CHECK(done.out.find(path + ": its socket file was deleted") != std::string::npos);
    CHECK(done.out.find("-> restart process " + std::to_string(getpid())) != std::string::npos);
    CHECK(done.out.find("does not exist") == std::string::npos);
}

TEST_CASE("doctor: a daemon that was killed and not yet waited for runs no more") {
    const pid_t killed = fork();
    if (killed == 0) {
        prctl(PR_SET_NAME, "meshd");
        _exit(0);
    }
    siginfo_t info{};
    REQUIRE(waitid(P_PID, static_cast<id_t>(killed), &info, WEXITED | WNOWAIT) == 0);
    const TemporaryDirectory directory;
    const Finished done = run_meshctl({"--socket", directory.path() + "/x", "doctor"});
    waitpid(killed, nullptr, 0);
    CHECK(done.exit_code == 3);
    CHECK(done.out.find("process " + std::to_string(killed)) == std::string::npos);
}

TEST_CASE("doctor: a daemon that says nothing is a problem too") {
    const FakeDaemon silent({[](Connection& connection) { connection.wait_for_end(); }});
    const Finished done = run_meshctl({"--socket", silent.path(), "--timeout", "50ms", "doctor"});
    CHECK(done.exit_code == 1);
    CHECK(done.out.find("problem  daemon          the daemon did not answer in time") == 0);
}

TEST_CASE("doctor: a call refused for another reason than age or rights is told with the reason") {
    const FakeDaemon daemon({responder([](std::string_view, const std::string&) -> std::string {
        return R"("error":{"code":900,"message":"too many calls wait"})";
    })});
    const Finished done = run_meshctl({"--socket", daemon.path(), "doctor"});
    CHECK(done.exit_code == 1);
    CHECK(done.out.find("problem  daemon          too many calls wait") == 0);
}

}  // namespace
}  // namespace meshd::cli
