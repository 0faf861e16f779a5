// SPDX-License-Identifier: Apache-2.0
// The protocol page states what the code does.
#include <doctest/doctest.h>

#include <cctype>
#include <fstream>
#include <sstream>
#include <string>

#include "proto/base/ids.h"
#include "proto/wire/limits.h"
#include "tests/proto/wire/samples.h"

using namespace meshd;

namespace {

std::string read_page() {
    std::ifstream stream(MESHD_PROTOCOL_PAGE);
    REQUIRE(stream.good());
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

std::string section(const std::string& page, const std::string& title) {
    const std::size_t begin = page.find("\n## " + title + "\n");
    REQUIRE_MESSAGE(begin != std::string::npos, title);
    return page.substr(begin, page.find("\n## ", begin + 1) - begin);
}

}  // namespace

TEST_CASE("protocol page: the limits table has the values of the code") {
    const std::string table = section(read_page(), "Limits");
    std::size_t rows = 0;
    const auto check = [&](const std::string& name, auto value) {
        const std::string row = "\n| `" + name + "` | " + std::to_string(value) + " |";
        CHECK_MESSAGE(table.find(row) != std::string::npos, row);
        ++rows;
    };
#define MESHD_CHECK_LIMIT(name) check(#name, limits::name)
    MESHD_CHECK_LIMIT(kDatagramBytesDefault);
    MESHD_CHECK_LIMIT(kDatagramBytesMin);
    MESHD_CHECK_LIMIT(kDatagramBytesMax);
    MESHD_CHECK_LIMIT(kHelloBytes);
    MESHD_CHECK_LIMIT(kItemsMax);
    MESHD_CHECK_LIMIT(kMessageBytesMax);
    MESHD_CHECK_LIMIT(kPayloadBytesMax);
    MESHD_CHECK_LIMIT(kPayloadDepthMax);
    MESHD_CHECK_LIMIT(kMessageJson.depth_max);
    MESHD_CHECK_LIMIT(kHopsMax);
    MESHD_CHECK_LIMIT(kLinksMax);
    MESHD_CHECK_LIMIT(kAddressesMax);
    MESHD_CHECK_LIMIT(kForgottenMax);
    MESHD_CHECK_LIMIT(kMeshNameBytesMax);
    MESHD_CHECK_LIMIT(kVersionTextBytesMax);
    MESHD_CHECK_LIMIT(kCounterMax);
    MESHD_CHECK_LIMIT(kNodesMax);
    MESHD_CHECK_LIMIT(kStreamsMax);
    MESHD_CHECK_LIMIT(kClosedStreamsMax);
    MESHD_CHECK_LIMIT(kIntervalsMax);
    MESHD_CHECK_LIMIT(kMessageIntervalsMax);
    MESHD_CHECK_LIMIT(kCensusPartsMax);
    MESHD_CHECK_LIMIT(kDeltaRecordsMax);
    MESHD_CHECK_LIMIT(kDeltaBytesMax);
    MESHD_CHECK_LIMIT(kAckRangesMax);
    MESHD_CHECK_LIMIT(kFragmentsMax);
    MESHD_CHECK_LIMIT(kReassembliesPerLinkMax);
    MESHD_CHECK_LIMIT(kReassemblyBytesPerLinkMax);
    MESHD_CHECK_LIMIT(kReassemblyBytesMax);
    MESHD_CHECK_LIMIT(kHashBytesMax);
    MESHD_CHECK_LIMIT(kTypeBytesMax);
    MESHD_CHECK_LIMIT(kSpaceBytesMax);
    MESHD_CHECK_LIMIT(kMetadataBytesMax);
    MESHD_CHECK_LIMIT(kDimensionMax);
    MESHD_CHECK_LIMIT(kTtlMsMax);
    MESHD_CHECK_LIMIT(kSharedKeyBytesMax);
    MESHD_CHECK_LIMIT(kDedupeKeyBytesMax);
    MESHD_CHECK_LIMIT(kAlertsPerAuthorMax);
    MESHD_CHECK_LIMIT(kAlertAgeMsMax);
#undef MESHD_CHECK_LIMIT
    std::size_t rows_on_page = 0;
    for (std::size_t at = table.find("\n| `k"); at != std::string::npos;
         at = table.find("\n| `k", at + 1)) {
        ++rows_on_page;
    }
    CHECK(rows_on_page == rows);
}

TEST_CASE("protocol page: the worked example is a datagram that the code builds") {
    const std::string text = section(read_page(), "Worked example as bytes");
    const std::size_t begin = text.find("```\n") + 4;
    std::istringstream lines(text.substr(begin, text.find("```", begin) - begin));
    std::string hex;
    for (std::string line; std::getline(lines, line);) {
        // Pairs of hex digits up to the first word that is none are bytes, the rest explains them.
        std::istringstream words(line);
        for (std::string word; words >> word && word.size() == 2 &&
                               std::isxdigit(static_cast<unsigned char>(word[0])) != 0 &&
                               std::isxdigit(static_cast<unsigned char>(word[1])) != 0;) {
            hex += word;
        }
    }
    const Buffer& golden = test::datagram_vectors().front().bytes;
    CHECK(hex == print_hex_bytes(golden.data(), golden.size()));
}
