// SPDX-License-Identifier: Apache-2.0
/// \file
/// meshctl metrics against a strict reading of the Prometheus text format, since promtool is not
/// everywhere.
#include <doctest/doctest.h>

#include <sys/stat.h>
#include <filesystem>
#include <iterator>

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "cli/format.h"
#include "cli/metrics_text.h"
#include "tests/cli/fake_daemon.h"
#include "tests/cli/parsed.h"
#include "tests/cli/run_meshctl.h"

namespace meshd::cli {
namespace {

bool is_name(const std::string& text, bool may_have_colon) {
    if (text.empty() || std::isdigit(static_cast<unsigned char>(text[0])) != 0) {
        return false;
    }
    for (const char c : text) {
        if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' &&
            !(c == ':' && may_have_colon)) {
            return false;
        }
    }
    return true;
}

/// Reads {a="b",c="d"} at `at`, leaves `at` behind it. Empty where it is none; labels not unique,
/// names not allowed and bad escapes among it.
bool skip_labels(const std::string& line, std::size_t& at) {
    std::set<std::string> names;
    ++at;
    while (true) {
        const std::size_t equals = line.find("=\"", at);
        if (equals == std::string::npos) {
            return false;
        }
        const std::string name = line.substr(at, equals - at);
        if (!is_name(name, false) || name.starts_with("__") || !names.insert(name).second) {
            return false;
        }
        at = equals + 2;
        while (at < line.size() && line[at] != '"') {
            if (line[at] == '\\') {
                ++at;
                if (at == line.size() || std::string("\\\"n").find(line[at]) == std::string::npos) {
                    return false;
                }
            }
            ++at;
        }
        if (++at >= line.size()) {
            return false;
        }
        if (line[at] == '}') {
            ++at;
            return true;
        }
        if (line[at++] != ',') {
            return false;
        }
    }
}

/// What is wrong with the first wrong line; empty where nothing is.
std::string format_error(const std::string& text) {
    if (text.empty() || text.back() != '\n') {
        return "does not end with a newline";
    }
    std::set<std::string> families;
    std::set<std::string> samples;
    std::string family;
    std::string type;
    bool has_help = false;
    bool has_samples = true;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const auto wrong = [&](const std::string& why) { return why + ": " + line; };
        if (line.starts_with("# HELP ")) {
            const std::size_t space = line.find(' ', 7);
            family = line.substr(7, space - 7);
            if (space == std::string::npos || space + 1 == line.size()) {
                return wrong("no help");
            }
            if (!is_name(family, true) || !families.insert(family).second || !has_samples) {
                return wrong("no name, told twice, or the one before has no samples");
            }
            has_help = true;
            has_samples = false;
            type.clear();
            continue;
        }
        if (line.starts_with("# TYPE ")) {
            const std::size_t space = line.find(' ', 7);
            type = line.substr(space + 1);
            if (line.substr(7, space - 7) != family || !has_help ||
                (type != "counter" && type != "gauge")) {
                return wrong("a type out of place");
            }
            if ((type == "counter") != family.ends_with("_total")) {
                return wrong("_total is for counters, and for all of them");
            }
            continue;
        }
        std::size_t at = line.find_first_of("{ ");
        if (at == std::string::npos || line.substr(0, at) != family || type.empty()) {
            return wrong("a sample outside its family");
        }
        if (line[at] == '{' && !skip_labels(line, at)) {
            return wrong("bad labels");
        }
        if (!samples.insert(line.substr(0, at)).second) {
            return wrong("the same sample twice");
        }
        if (at >= line.size() || line[at] != ' ') {
            return wrong("no blank before the value");
        }
        const std::string value = line.substr(at + 1);
        char* end = nullptr;
        std::strtod(value.c_str(), &end);
        if (value.empty() || *end != '\0') {
            return wrong("no number");
        }
        has_samples = true;
    }
    return has_samples ? "" : "a family without samples";
}

std::string answer(std::string_view method, const std::string&) {
    static const std::map<std::string, std::string, std::less<>> kResults = {
        {"mesh.status",
         R"({"node_id":"a\"b","mesh":"home\\1","version":"0.1.0","security":"sealed","uptime_s":62,)"
         R"("isolated":false,"warnings":["x"],"store":{"records":18446744073709551615,"bytes":5,)"
         R"("entries":1,"alerts":0,"unwritten":0,"streams_unheld":0,"durable":true}})"},
        {"mesh.stats",
         R"({"node_id":"a","is_running":true,"alive_peers":2,"total_peers":2,"messages_sent":7,)"
         R"("bytes_sent":9,"counters":{"links_up":3,"odd-name":1},"drops":{"tag":2,"rate":0}})"},
        {"mesh.nodes", R"({"nodes":[{"node_id":"a","status":"alive","last_seen_ms":0},)"
                       R"({"node_id":"b","status":"offline","last_seen_ms":1500}]})"},
        {"mesh.peers",
         R"({"peers":[{"node_id":"b","rtt_ms":0.25,"loss":0.125,"up_for_s":4,"queued":0,)"
         R"("suspect":false},{"node_id":"c","rtt_ms":null,"loss":0,"up_for_s":0,"queued":0,)"
         R"("suspect":true}]})"},
    };
    return "\"result\":" + kResults.find(method)->second;
}

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST_CASE("metrics: the checker of the format finds what is wrong") {
    CHECK(format_error("# HELP a_total x\n# TYPE a_total counter\na_total 1\n").empty());
    CHECK(!format_error("# HELP a x\n# TYPE a counter\na 1\n").empty());
    CHECK(!format_error("# TYPE a gauge\na 1\n").empty());
    CHECK(!format_error("# HELP a x\n# TYPE a gauge\na{b=\"\\q\"} 1\n").empty());
    CHECK(!format_error("# HELP a x\n# TYPE a gauge\na 1\na 2\n").empty());
    CHECK(!format_error("# HELP a x\n# TYPE a gauge\na one\n").empty());
    CHECK(!format_error("# HELP a x\n# TYPE a gauge\na 1").empty());
    CHECK(!format_error("# HELP a x\n# TYPE a gauge\n").empty());
}

TEST_CASE("metrics: all figures come as Prometheus has them, in base units") {
    const FakeDaemon daemon({responder(answer)});
    const Finished done = run_meshctl({"--socket", daemon.path(), "metrics"});
    CHECK(done.exit_code == 0);
    CHECK(format_error(done.out) == "");
    CHECK(done.err.empty());
    for (const char* line :
         {"meshd_up 1",
          R"(meshd_info{node="a\"b",mesh="home\\1",version="0.1.0",security="sealed"} 1)",
          "meshd_uptime_seconds 62", "meshd_store_records 18446744073709551615",
          R"(meshd_nodes{status="alive"} 1)", R"(meshd_nodes{status="offline"} 1)",
          R"(meshd_nodes{status="left"} 0)", R"(meshd_node_alive{peer="b"} 0)",
          R"(meshd_node_last_seen_seconds{peer="b"} 1.5)", "meshd_links 2",
          R"(meshd_link_rtt_seconds{peer="b"} 0.00025)", R"(meshd_link_loss_ratio{peer="b"} 0.125)",
          R"(meshd_link_suspect{peer="c"} 1)", "meshd_sent_bytes_total 9",
          "meshd_messages_sent_total 7", "meshd_links_up_total 3", "meshd_odd_name_total 1",
          R"(meshd_dropped_total{reason="tag"} 2)"}) {
        CAPTURE(line);
        CHECK(has_line(done.out, line));
    }
    CHECK(done.out.find(R"(meshd_link_rtt_seconds{peer="c"})") == std::string::npos);
    CHECK(done.out.find("alive_peers") == std::string::npos);
}

TEST_CASE("metrics: with --json the same figures come as one object") {
    const FakeDaemon daemon({responder(answer)});
    const Finished done = run_meshctl({"--socket", daemon.path(), "metrics", "--json"});
    CHECK(done.exit_code == 0);
    const auto document = parsed(done.out);
    const json::Value up = *document.root()["metrics"].begin();
    CHECK(up["name"].as_string() == "meshd_up");
    CHECK(up["type"].as_string() == "gauge");
    CHECK((*up["samples"].begin())["value"].as_uint() == 1);
}

TEST_CASE("metrics: a textfile appears at once, readable for all, and says where no daemon is") {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/meshd.prom";
    const auto content = [&] {
        std::stringstream text;
        text << std::ifstream(path).rdbuf();
        return text.str();
    };
    {
        const FakeDaemon daemon({responder(answer)});
        const Finished done =
            run_meshctl({"--socket", daemon.path(), "metrics", "--textfile", path});
        CHECK(done.exit_code == 0);
        CHECK(done.out.empty());
        CHECK(format_error(content()) == "");
    }
    struct stat info {};
    REQUIRE(stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777U) == 0644U);
    const Finished gone =
        run_meshctl({"--socket", directory.path() + "/none", "metrics", "--textfile", path});
    CHECK(gone.exit_code == 3);
    CHECK(content() ==
          "# HELP meshd_up Whether the daemon answered.\n# TYPE meshd_up gauge\nmeshd_up 0\n");
    const std::filesystem::directory_iterator files(directory.path());
    CHECK(std::distance(begin(files), end(files)) == 1);
    const FakeDaemon daemon({responder(answer)});
    const Finished refused = run_meshctl(
        {"--socket", daemon.path(), "metrics", "--textfile", directory.path() + "/no/where"});
    CHECK(refused.exit_code == 1);
    CHECK(refused.err.find("cannot write") != std::string::npos);
}

}  // namespace
}  // namespace meshd::cli
