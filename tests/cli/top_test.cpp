// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "cli/screen.h"
#include "cli/top_picture.h"
#include "tests/cli/parsed.h"

namespace meshd::cli {
namespace {

/// A mesh of so many boxes; b1 is this one, the even ones are linked, b3 is offline.
struct Sample {
    explicit Sample(int count)
        : status(parsed(
              R"({"node_id":"b1","mesh":"home","security":"sealed","uptime_s":60,"nodes_alive":2,)"
              R"("nodes_known":3,"peers":1,"warnings":["a disk is full","another","a third"],)"
              R"("store":{"records":5,"bytes":2048,"entries":1,"alerts":1,"unwritten":0}})")),
          stats(parsed("{}")),
          nodes(parsed(nodes_text(count))),
          peers(parsed(peers_text(count))) {}

    static std::string nodes_text(int count) {
        std::string text = R"({"nodes":[)";
        for (int i = 1; i <= count; ++i) {
            text += (i > 1 ? "," : "") + (R"({"node_id":"b)" + std::to_string(i)) +
                    R"(","status":")" + (i == 3 ? "offline" : "alive") +
                    R"(","activity":"ACTIVE","hops":)" + std::to_string(i - 1) +
                    R"(,"last_seen_ms":)" + std::to_string(i * 10) + R"(,"address":"10.0.0.)" +
                    std::to_string(i) + R"(:9999"})";
        }
        return text + "]}";
    }
    static std::string peers_text(int count) {
        std::string text = R"({"peers":[)";
        for (int i = 2; i <= count; i += 2) {
            text += (i > 2 ? "," : "") + (R"({"node_id":"b)" + std::to_string(i)) +
                    R"(","rtt_ms":)" + std::to_string(100 - i) + R"(,"loss":0.)" +
                    std::to_string(i % 10) + R"(,"up_for_s":7,"queued":0})";
        }
        return text + "]}";
    }
    TopFacts facts() const { return {status.root(), stats.root(), nodes.root(), peers.root()}; }

    json::Document status;
    json::Document stats;
    json::Document nodes;
    json::Document peers;
};

std::vector<std::string> names(const TopPicture& picture) {
    std::vector<std::string> out;
    for (const std::string& line : picture.lines) {
        const std::string word = line.substr(0, line.find(' '));
        if (word.size() > 1 && word[0] == 'b' && line.find("mesh home") == std::string::npos) {
            out.push_back(word);
        }
    }
    return out;
}

TEST_CASE("top: rates come of two looks, and of none where the daemon began anew") {
    const auto before = parsed(R"({"bytes_sent":1000,"bytes_received":50,"datagrams_sent":10,)"
                               R"("datagrams_received":4,"drops":{"tag":1,"rate":2}})");
    const auto after = parsed(R"({"bytes_sent":3000,"bytes_received":20,"datagrams_sent":30,)"
                              R"("datagrams_received":4,"drops":{"tag":3,"rate":4}})");
    const TopRates rates = rates_between(before.root(), after.root(), 2);
    CHECK(rates.bytes_out == doctest::Approx(1000));
    CHECK(rates.bytes_in == doctest::Approx(0));
    CHECK(rates.datagrams_out == doctest::Approx(10));
    CHECK(rates.drops == doctest::Approx(2));
    CHECK(rates_between(before.root(), after.root(), 0).bytes_out == doctest::Approx(0));
}

TEST_CASE("top: a picture that is not of now says so, whether the daemon has gone or hangs") {
    using std::chrono::milliseconds;
    CHECK(top_banner(false, milliseconds(2900), milliseconds(1000)).empty());
    CHECK(top_banner(false, milliseconds(3100), milliseconds(1000)) ==
          "no answer for 3.0 s; waiting until the daemon answers again");
    CHECK(top_banner(false, milliseconds(9000), milliseconds(5000)).empty());
    CHECK(top_banner(false, milliseconds(11'000), milliseconds(5000)).starts_with("no answer for"));
    CHECK(top_banner(true, milliseconds(0), milliseconds(1000)).starts_with("no meshd answers"));
    TopOptions options;
    options.banner = "no answer";
    options.columns = 5;
    options.rows = 1;
    const TopPicture alone = top_banner_alone(options);
    CHECK(alone.lines.size() == 1);
    CHECK(width_of(alone.lines[0]) <= 5);
}

TEST_CASE("top: in no terminal is a line too long or one too many") {
    const Sample sample(40);
    const std::vector<TopAlert> alerts(8, {"14:00:00  critical from b2: " + std::string(200, 'x')});
    for (std::size_t columns = 1; columns < 130; columns += 9) {
        for (std::size_t rows = 1; rows < 60; ++rows) {
            TopOptions options;
            options.columns = columns;
            options.rows = rows;
            options.first = rows;
            const TopPicture picture = top_picture(sample.facts(), {}, alerts, options);
            CHECK(picture.lines.size() == rows);
            for (const std::string& line : picture.lines) {
                CHECK(width_of(line) <= columns);
            }
        }
    }
}

TEST_CASE("top: boxes are sorted as asked, the ill and the lossy first") {
    const Sample sample(5);
    TopOptions options;
    const auto sorted = [&](TopSort sort, bool is_reversed = false) {
        options.sort = sort;
        options.is_reversed = is_reversed;
        return names(top_picture(sample.facts(), {}, {}, options));
    };
    using Names = std::vector<std::string>;
    CHECK(sorted(TopSort::Name) == Names{"b1*", "b2", "b3", "b4", "b5"});
    CHECK(sorted(TopSort::Name, true) == Names{"b5", "b4", "b3", "b2", "b1*"});
    CHECK(sorted(TopSort::Status).front() == "b3");
    CHECK(sorted(TopSort::Loss) == Names{"b4", "b2", "b1*", "b3", "b5"});
    CHECK(sorted(TopSort::Rtt) == Names{"b4", "b2", "b1*", "b3", "b5"});
    CHECK(sorted(TopSort::Hops, true).front() == "b5");
    CHECK(sorted(TopSort::Seen).front() == "b5");
}

TEST_CASE("top: what does not fit is scrolled, and never beyond the end") {
    const Sample sample(40);
    TopOptions options;
    options.rows = 20;
    options.first = 1000;
    const TopPicture picture = top_picture(sample.facts(), {}, {}, options);
    CHECK(picture.first + picture.page == 40);
    CHECK(names(picture).back() == "b40");
    CHECK(picture.lines.back().find("of 40") != std::string::npos);
}

TEST_CASE("top: the latest alerts stand below, a banner above all") {
    const Sample sample(3);
    TopOptions options;
    options.rows = 24;
    options.banner = "gone";
    const TopPicture picture = top_picture(sample.facts(), {}, {{"first"}, {"last"}}, options);
    CHECK(picture.lines.front() == "gone");
    const std::string all = join(picture.lines, "\n");
    CHECK(all.find("ALERTS\nfirst\nlast\n") != std::string::npos);
    CHECK(all.find("! a disk is full") != std::string::npos);
    CHECK(all.find("a third") == std::string::npos);
}

TEST_CASE("top: keys are read out of what a terminal sends") {
    using Key = Screen::Key;
    const auto keys = parse_keys("q\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[H\x1b[4~\x1b[1;5Cx\x1b");
    std::vector<Key> found;
    for (const Screen::Input& input : keys) {
        found.push_back(input.key);
    }
    CHECK(
        (found == std::vector<Key>{Key::Character, Key::Up, Key::Down, Key::PageUp, Key::PageDown,
                                   Key::Home, Key::End, Key::Other, Key::Character, Key::Escape}));
    CHECK(keys[0].character == 'q');
    CHECK(parse_keys("").empty());
    CHECK(parse_keys("\x1b[").size() == 1);
}

}  // namespace
}  // namespace meshd::cli
