// SPDX-License-Identifier: Apache-2.0
#include "daemon/netlink.h"

#include <doctest/doctest.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstring>

using namespace meshd;
using namespace std::chrono_literals;

namespace {

template <class T>
void append(Buffer& bytes, const T& value) {
    const std::size_t at = bytes.size();
    bytes.resize(at + sizeof value);
    std::memcpy(bytes.data() + at, &value, sizeof value);
}

Buffer message(std::uint16_t type, const Buffer& payload) {
    Buffer bytes;
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + payload.size());
    append(bytes, header);
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    bytes.resize(NLMSG_ALIGN(bytes.size()));
    return bytes;
}

Buffer attribute(std::uint16_t type, std::size_t size) {
    Buffer bytes;
    append(bytes, rtattr{static_cast<std::uint16_t>(sizeof(rtattr) + size), type});
    bytes.resize(RTA_ALIGN(bytes.size() + size));
    return bytes;
}

Buffer link(const std::vector<Buffer>& attributes) {
    Buffer payload;
    append(payload, ifinfomsg{});
    for (const Buffer& one : attributes) {
        payload.insert(payload.end(), one.begin(), one.end());
    }
    return message(RTM_NEWLINK, payload);
}

Buffer scan() {
    return link({attribute(IFLA_IFNAME, 6), attribute(IFLA_WIRELESS, 20)});
}

Buffer operator+(Buffer first, const Buffer& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

TimePoint at(Duration since) {
    return TimePoint(since);
}

}  // namespace

TEST_CASE("netlink: links and addresses are news, other messages are not") {
    CHECK(has_interface_news(link({attribute(IFLA_IFNAME, 6)})));
    CHECK(has_interface_news(link({})));
    CHECK(has_interface_news(message(RTM_DELLINK, Buffer(sizeof(ifinfomsg)))));
    CHECK(has_interface_news(message(RTM_NEWADDR, Buffer(sizeof(ifaddrmsg)))));
    CHECK(has_interface_news(message(RTM_DELADDR, Buffer(sizeof(ifaddrmsg)))));
    CHECK_FALSE(has_interface_news(message(RTM_NEWROUTE, Buffer(sizeof(rtmsg)))));
    CHECK_FALSE(has_interface_news(message(NLMSG_NOOP, {})));
    CHECK_FALSE(has_interface_news(message(NLMSG_DONE, Buffer(4))));
    CHECK_FALSE(has_interface_news({}));
}

TEST_CASE("netlink: a wireless scan is no news, what comes behind it may be") {
    CHECK_FALSE(has_interface_news(scan()));
    CHECK_FALSE(has_interface_news(scan() + scan()));
    CHECK(has_interface_news(scan() + message(RTM_NEWADDR, Buffer(sizeof(ifaddrmsg)))));
}

TEST_CASE("netlink: an error or an overrun is news") {
    CHECK(has_interface_news(message(NLMSG_ERROR, Buffer(sizeof(nlmsgerr)))));
    CHECK(has_interface_news(message(NLMSG_OVERRUN, {})));
}

TEST_CASE("netlink: what is cut off anywhere is read within its bounds") {
    const Buffer whole = scan() + message(RTM_NEWROUTE, Buffer(sizeof(rtmsg)));
    CHECK_FALSE(has_interface_news(whole));
    for (std::size_t size = 1; size < whole.size(); ++size) {
        CAPTURE(size);
        // A copy of its own, so that a sanitizer sees each byte read beyond it.
        const Buffer part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        CHECK(has_interface_news(part) == (size != scan().size()));
    }
}

TEST_CASE("netlink: lengths that lie end the reading") {
    for (const std::uint32_t length : {0U, 1U, 15U, 200U, 0xffffffffU}) {
        CAPTURE(length);
        Buffer bytes = scan();
        std::memcpy(bytes.data(), &length, sizeof length);
        CHECK(has_interface_news(bytes));
    }
    for (const int lie : {0, 3, 200, 0xffff}) {
        const auto length = static_cast<std::uint16_t>(lie);
        CAPTURE(length);
        Buffer bytes = link({attribute(IFLA_IFNAME, 6), attribute(IFLA_WIRELESS, 20)});
        std::memcpy(bytes.data() + sizeof(nlmsghdr) + sizeof(ifinfomsg), &length, sizeof length);
        CHECK(has_interface_news(bytes));
    }
}

TEST_CASE("netlink: a burst of news is one look, 200 ms after its end") {
    NewsGatherer gatherer;
    CHECK(gatherer.on_news(at(1s)) == at(1200ms));
    CHECK(gatherer.on_news(at(1100ms)) == at(1300ms));
    gatherer.clear();
    CHECK(gatherer.on_news(at(2s)) == at(2200ms));
}

TEST_CASE("netlink: a storm of news delays the look by 500 ms at most") {
    NewsGatherer gatherer;
    for (Duration since = 1s; since < 1500ms; since += 10ms) {
        CHECK(gatherer.on_news(at(since)) <= at(1500ms));
    }
    CHECK(gatherer.on_news(at(1490ms)) == at(1500ms));
}
