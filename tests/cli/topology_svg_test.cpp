// SPDX-License-Identifier: Apache-2.0
#include "cli/topology_svg.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/cli/parsed.h"

namespace meshd::cli {
namespace {

/// Every tag is closed, in order; attributes are not looked at.
bool is_well_formed(const std::string& xml) {
    std::vector<std::string> open;
    for (std::size_t at = xml.find('<'); at != std::string::npos; at = xml.find('<', at + 1)) {
        const std::size_t end = xml.find('>', at);
        if (end == std::string::npos) {
            return false;
        }
        const std::string tag = xml.substr(at + 1, end - at - 1);
        const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
        if (tag[0] == '/') {
            if (open.empty() || "/" + open.back() != tag) {
                return false;
            }
            open.pop_back();
        } else if (tag.back() != '/') {
            open.push_back(name);
        }
    }
    return open.empty();
}

struct Spot {
    double x;
    double y;
};

/// Of the boxes' names, in order.
std::vector<Spot> name_spots(const std::string& svg) {
    std::vector<Spot> spots;
    for (std::size_t at = svg.find("class=\"name\""); at != std::string::npos;
         at = svg.find("class=\"name\"", at + 1)) {
        const std::size_t begin = svg.rfind("<text", at);
        const auto number = [&](const std::string& name) {
            return std::strtod(svg.c_str() + svg.find(name + "=\"", begin) + name.size() + 2,
                               nullptr);
        };
        spots.push_back({number("x"), number("y")});
    }
    return spots;
}

std::string mesh(int count, int links_each) {
    std::string nodes;
    std::string links;
    for (int i = 0; i < count; ++i) {
        nodes += (i > 0 ? "," : "") + (R"({"node_id":"cam-)" + std::to_string(i)) +
                 R"(","status":"alive"})";
        for (int next = 1; next <= links_each && i + next < count; ++next) {
            links += (links.empty() ? "" : ",") + (R"({"a":"cam-)" + std::to_string(i)) +
                     R"(","b":"cam-)" + std::to_string(i + next) + R"(","cost":10})";
        }
    }
    return R"({"nodes":[)" + nodes + R"(],"links":[)" + links + "]}";
}

TEST_CASE("topology svg: it shows names, the quality of links and who is not alive") {
    const auto document =
        parsed(R"({"nodes":[{"node_id":"a<b&c","status":"alive"},{"node_id":"d","status":"alive"},)"
               R"({"node_id":"e","status":"offline"}],"links":[{"a":"a<b&c","b":"d","cost":18}]})");
    PictureOptions options;
    options.own = "d";
    options.notes["a<b&c"] = "1.5 ms";
    const std::string svg = topology_svg(document.root(), options);
    CHECK(svg == topology_svg(document.root(), options));
    CHECK(is_well_formed(svg));
    CHECK(svg.find(">a&lt;b&amp;c</text>") != std::string::npos);
    CHECK(svg.find(">1.5 ms</text>") != std::string::npos);
    CHECK(svg.find(">offline</text>") != std::string::npos);
    CHECK(svg.find("cost 18") != std::string::npos);
    CHECK(svg.find("3 boxes, 2 alive, 1 link") != std::string::npos);
    CHECK(svg.find("href") == std::string::npos);
    CHECK(name_spots(svg).size() == 3);
}

TEST_CASE("topology svg: no name covers another, in meshes of any size and shape") {
    for (const int count : {1, 2, 5, 12, 30}) {
        for (const int links_each : {0, 1, 3, 40}) {
            CAPTURE(count);
            CAPTURE(links_each);
            const auto document = parsed(mesh(count, links_each));
            const std::string svg = topology_svg(document.root(), {});
            CHECK(is_well_formed(svg));
            const auto spots = name_spots(svg);
            REQUIRE(spots.size() == static_cast<std::size_t>(count));
            std::size_t covered = 0;
            for (std::size_t a = 0; a < spots.size(); ++a) {
                CHECK(spots[a].x >= 0);
                CHECK(spots[a].y >= 0);
                for (std::size_t b = a + 1; b < spots.size(); ++b) {
                    covered += std::abs(spots[a].x - spots[b].x) < 40 &&
                                       std::abs(spots[a].y - spots[b].y) < 14
                                   ? 1U
                                   : 0U;
                }
            }
            CHECK(covered == 0);
        }
    }
}

TEST_CASE("topology svg: a mesh of nobody is a picture too") {
    const auto document = parsed(R"({"nodes":[],"links":[]})");
    CHECK(is_well_formed(topology_svg(document.root(), {})));
}

}  // namespace
}  // namespace meshd::cli
