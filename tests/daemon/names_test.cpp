// SPDX-License-Identifier: Apache-2.0
#include "daemon/names.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include "proto/base/node_id.h"
#include "tests/daemon/temporary_dir.h"

using namespace meshd;

namespace {

/// No hardware id from outside for the time of a test.
struct WithoutVariable {
    WithoutVariable() { unsetenv("MESHD_HARDWARE_ID"); }
};

}  // namespace

TEST_CASE("names: boxes of one host name differ by their hardware") {
    const std::string a = default_node_id("cam", "serial-1");
    const std::string b = default_node_id("cam", "serial-2");
    CHECK(a != b);
    CHECK(a == default_node_id("cam", "serial-1"));
    CHECK(a.size() == 8);
    CHECK(a.starts_with("cam-"));
}

TEST_CASE("names: any host name becomes a valid node id") {
    for (const std::string& name :
         {std::string("kamera süd"), std::string(), std::string(300, 'x'), std::string("a/b\nc"),
          std::string("-"), std::string("A.b_c-9")}) {
        CAPTURE(name);
        CHECK(NodeId::parse(default_node_id(name, "id")));
    }
    CHECK(default_node_id("A.b_c-9", "id").starts_with("A.b_c-9-"));
}

TEST_CASE("names: the device tree serial is the hardware id where there is one") {
    const WithoutVariable clean;
    const TemporaryDir root;
    root.write("proc/device-tree/serial-number", std::string("10000000abcdef\0", 15));
    root.write("sys/class/net/eth0/address", "02:00:00:00:00:01\n");
    CHECK(*find_hardware_id(root.path()) == "10000000abcdef");
}

TEST_CASE("names: a permanent address of a physical interface beats a virtual one") {
    const WithoutVariable clean;
    const TemporaryDir root;
    root.write("sys/class/net/lo/address", "00:00:00:00:00:00\n");
    root.write("sys/class/net/br0/address", "02:00:00:00:00:01\n");
    root.write("sys/class/net/br0/addr_assign_type", "3\n");
    CHECK(*find_hardware_id(root.path()) == "02:00:00:00:00:01");
    root.write("sys/class/net/eth0/address", "02:00:00:00:00:02\n");
    root.write("sys/class/net/eth0/addr_assign_type", "0\n");
    root.write("sys/class/net/eth0/device/vendor", "x\n");
    CHECK(*find_hardware_id(root.path()) == "02:00:00:00:00:02");
}

TEST_CASE("names: hardware without any mark asks for a name, and the variable gives one") {
    const TemporaryDir root;
    {
        const WithoutVariable clean;
        const auto id = find_hardware_id(root.path());
        REQUIRE_FALSE(id);
        CHECK(id.error().find("--node-id") != std::string::npos);
    }
    setenv("MESHD_HARDWARE_ID", "box-7", 1);
    CHECK(*find_hardware_id(root.path()) == "box-7");
    unsetenv("MESHD_HARDWARE_ID");
}
