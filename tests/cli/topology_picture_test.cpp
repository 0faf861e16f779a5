// SPDX-License-Identifier: Apache-2.0
#include "cli/topology_picture.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/cli/parsed.h"

namespace meshd::cli {
namespace {

using Links = std::vector<std::pair<int, int>>;

std::string cam(int number) {
    return "cam-" + std::to_string(number);
}

/// cam-1 to cam-`count`, all alive.
std::string topology(int count, const Links& links) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object().key("nodes").begin_array();
    for (int i = 1; i <= count; ++i) {
        writer.begin_object().member("node_id", cam(i)).member("status", "alive").end_object();
    }
    writer.end_array().key("links").begin_array();
    for (const auto& [a, b] : links) {
        writer.begin_object().member("a", cam(a)).member("b", cam(b));
        writer.member("cost", 10).end_object();
    }
    writer.end_array().end_object();
    return text;
}

std::string picture(const std::string& topology_text, PictureOptions options) {
    const auto document = parsed(topology_text);
    return topology_picture(document.root(), options);
}

std::string picture(int count, const Links& links, int own) {
    return picture(topology(count, links), {cam(own), 0, {}});
}

Links all_to_all(int from, int to) {
    Links links;
    for (int a = from; a <= to; ++a) {
        for (int b = a + 1; b <= to; ++b) {
            links.emplace_back(a, b);
        }
    }
    return links;
}

TEST_CASE("picture: a line of five looks like a line, wherever one stands") {
    const Links line = {{1, 2}, {2, 3}, {3, 4}, {4, 5}};
    CHECK(picture(5, line, 1) ==
          "5 boxes, 4 links (* this box)\n"
          "\n"
          "cam-1* -- cam-2 -- cam-3 -- cam-4 -- cam-5\n");
    CHECK(picture(5, line, 3) ==
          "5 boxes, 4 links (* this box)\n"
          "\n"
          "cam-1 -- cam-2 -- cam-3* -- cam-4 -- cam-5\n");
}

TEST_CASE("picture: a shared network is one sentence, not n squared links") {
    CHECK(picture(10, all_to_all(1, 10), 2) ==
          "10 boxes, 45 links (* this box)\n"
          "\n"
          "all 10 linked to each other:\n"
          "  cam-2*  cam-1  cam-3  cam-4  cam-5  cam-6  cam-7  cam-8  cam-9  cam-10\n");
}

TEST_CASE("picture: a network of three with a line behind it is a tree and one more link") {
    const Links links = {{1, 2}, {1, 3}, {2, 3}, {3, 4}, {4, 5}};
    CHECK(picture(5, links, 1) ==
          "5 boxes, 5 links (* this box)\n"
          "\n"
          "cam-1* -+- cam-2\n"
          "        `- cam-3 --- cam-4 --- cam-5\n"
          "also linked: cam-2 -- cam-3\n");
    CHECK(picture(5, links, 5) ==
          "5 boxes, 5 links (* this box)\n"
          "\n"
          "cam-5* --- cam-4 --- cam-3 -+- cam-1\n"
          "                            `- cam-2\n"
          "also linked: cam-1 -- cam-2\n");
}

TEST_CASE("picture: a tree has its branches below each other") {
    CHECK(picture(7, {{1, 2}, {1, 3}, {1, 4}, {3, 5}, {3, 6}, {2, 7}}, 1) ==
          "7 boxes, 6 links (* this box)\n"
          "\n"
          "cam-1* -+- cam-2 --- cam-7\n"
          "        +- cam-3 -+- cam-5\n"
          "        |         `- cam-6\n"
          "        `- cam-4\n");
}

TEST_CASE("picture: a tree too wide for the terminal is drawn downwards") {
    PictureOptions options{cam(1), 24, {}};
    CHECK(picture(topology(6, {{1, 2}, {1, 3}, {2, 4}, {2, 5}, {5, 6}}), options) ==
          "6 boxes, 5 links (* this box)\n"
          "\n"
          "cam-1*\n"
          "+-- cam-2\n"
          "|   +-- cam-4\n"
          "|   `-- cam-5\n"
          "|       `-- cam-6\n"
          "`-- cam-3\n");
}

TEST_CASE("picture: a long line is broken between boxes") {
    PictureOptions options{cam(1), 26, {}};
    CHECK(picture(topology(4, {{1, 2}, {2, 3}, {3, 4}}), options) ==
          "4 boxes, 3 links (* this box)\n"
          "\n"
          "cam-1* -- cam-2 --\n"
          "    cam-3 -- cam-4\n");
}

TEST_CASE("picture: a ring closes") {
    CHECK(picture(4, {{1, 2}, {2, 3}, {3, 4}, {1, 4}}, 3) ==
          "4 boxes, 4 links (* this box)\n"
          "\n"
          "cam-3* -- cam-2 -- cam-1 -- cam-4 -- back to cam-3\n");
}

TEST_CASE("picture: a large network with a tail names the network once") {
    Links links = all_to_all(1, 5);
    links.emplace_back(5, 6);
    CHECK(picture(6, links, 1) ==
          "6 boxes, 11 links (* this box)\n"
          "\n"
          "cam-1* -+- cam-2\n"
          "        +- cam-3\n"
          "        +- cam-4\n"
          "        `- cam-5 --- cam-6\n"
          "all linked to each other: cam-1, cam-2, cam-3, cam-4, cam-5\n");
}

TEST_CASE("picture: boxes that are not alive carry their status, those without links come last") {
    CHECK(picture(R"({"nodes":[{"node_id":"a","status":"alive"},{"node_id":"b","status":"alive"},
                               {"node_id":"c","status":"offline"},{"node_id":"d","status":"left"},
                               {"node_id":"e","status":"unreachable"},{"node_id":"f","status":"unreachable"}],
                      "links":[{"a":"a","b":"b","cost":10},{"a":"e","b":"f","cost":10}]})",
                  {"a", 0, {}}) ==
          "6 boxes, 2 links (* this box)\n"
          "\n"
          "a* -- b\n"
          "\n"
          "e [unreachable] -- f [unreachable]\n"
          "\n"
          "without links: c [offline], d [left]\n");
}

TEST_CASE("picture: round trips stand beside names, links with loss below") {
    CHECK(picture(R"({"nodes":[{"node_id":"a","status":"alive"},{"node_id":"b","status":"alive"},
                               {"node_id":"c","status":"alive"}],
                      "links":[{"a":"a","b":"b","cost":10},{"a":"b","b":"c","cost":63}]})",
                  {"a", 0, {{"b", "0.4 ms"}}}) ==
          "3 boxes, 2 links (* this box)\n"
          "\n"
          "a* -- b (0.4 ms) -- c\n"
          "\n"
          "lossy: b -- c (cost 63)\n");
}

TEST_CASE("picture: a box alone and a mesh without boxes") {
    CHECK(picture(1, {}, 1) == "1 box, 0 links (* this box)\n\nwithout links: cam-1*\n");
    CHECK(picture(R"({"nodes":[],"links":[]})", {"a", 0, {}}) == "0 boxes, 0 links\n");
}

TEST_CASE("picture: odd input is drawn, not trusted") {
    CHECK(picture(R"({"nodes":[{"node_id":"a","status":"alive"},{"node_id":"a","status":"alive"}],
                      "links":[{"a":"a","b":"a","cost":1},{"a":"a","b":"x\u001b","cost":10},{"a":"x\u001b","b":"a"}]})",
                  {"a", 0, {}}) ==
          "2 boxes, 1 link (* this box)\n"
          "\n"
          "a* -- x? [unknown]\n");
}

TEST_CASE("picture: the order of the input does not matter") {
    const Links links = {{1, 2}, {1, 3}, {2, 3}, {3, 4}, {4, 5}, {2, 5}, {5, 6}};
    const Links reversed(links.rbegin(), links.rend());
    CHECK(picture(6, links, 1) == picture(6, reversed, 1));
}

TEST_CASE("picture: thirty boxes with eight links each stay within the width") {
    Links links;
    for (int a = 1; a <= 30; ++a) {
        for (int step = 1; step <= 4; ++step) {
            links.emplace_back(a, (a + step * step - 1) % 30 + 1);
        }
    }
    const std::string text = picture(30, links, 1);
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = text.find('\n', begin);
        CHECK(end - begin <= 100);
        begin = end + 1;
    }
}

TEST_CASE("picture: DOT has every box and every link once") {
    const auto document =
        parsed(R"({"nodes":[{"node_id":"b","status":"alive"},{"node_id":"a","status":"alive"},
                                              {"node_id":"c","status":"left"}],
                                     "links":[{"a":"a","b":"b","cost":20}]})");
    CHECK(topology_dot(document.root()) ==
          "graph mesh {\n"
          "  \"a\";\n"
          "  \"b\";\n"
          "  \"c\" [style=dashed, label=\"c left\"];\n"
          "  \"a\" -- \"b\" [label=20];\n"
          "}\n");
}

}  // namespace
}  // namespace meshd::cli
