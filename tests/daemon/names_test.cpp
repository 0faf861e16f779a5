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

/// An interface as sysfs shows it; `type`: addr_assign_type, 0 = burnt in, 1 = random, 3 = set.
void add_interface(const TemporaryDir& root, const std::string& name, const std::string& mac,
                   const std::string& type, const std::string& device = "") {
    root.write("sys/class/net/" + name + "/address", mac + "\n");
    root.write("sys/class/net/" + name + "/addr_assign_type", type + "\n");
    if (!device.empty()) {
        std::filesystem::create_directories(root.path() / device);
        std::filesystem::create_directory_symlink(root.path() / device,
                                                  root.path() / "sys/class/net" / name / "device");
    }
}

HardwareMarks find(const TemporaryDir& root) {
    return find_hardware(root.path(), [](const std::string&) { return std::string(); });
}

using Texts = std::vector<std::string>;

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

TEST_CASE("names: the device tree serial is the best mark where there is one") {
    const WithoutVariable clean;
    const TemporaryDir root;
    root.write("proc/device-tree/serial-number", std::string("10000000abcdef\0", 15));
    add_interface(root, "eth0", "02:00:00:00:00:01", "0", "sys/devices/soc");
    CHECK(find(root).lasting == Texts{"10000000abcdef", "02:00:00:00:00:01"});
}

TEST_CASE(
    "names: burnt-in addresses of physical interfaces are marks, adapters' after the others") {
    const WithoutVariable clean;
    const TemporaryDir root;
    add_interface(root, "lo", "00:00:00:00:00:00", "0");
    add_interface(root, "br0", "02:00:00:00:00:01", "3");
    CHECK(find(root).lasting.empty());
    CHECK(find(root).passing == "02:00:00:00:00:01");
    add_interface(root, "eth0", "02:00:00:00:00:02", "0", "sys/devices/usb1/1-1");
    add_interface(root, "eth1", "02:00:00:00:00:03", "0", "sys/devices/pci0");
    CHECK(find(root).lasting == Texts{"02:00:00:00:00:03", "02:00:00:00:00:02"});
}

TEST_CASE("names: a random or set address is no mark, the burnt-in one behind it is") {
    const WithoutVariable clean;
    const TemporaryDir root;
    add_interface(root, "wlan0", "02:00:00:00:00:01", "1", "sys/devices/soc/a");
    add_interface(root, "wlan1", "02:00:00:00:00:02", "3", "sys/devices/soc/b");
    CHECK(find(root).lasting.empty());
    const auto marks = find_hardware(root.path(), [](const std::string& interface) {
        return interface == "wlan1" ? "dc:a6:32:00:00:02" : "";
    });
    CHECK(marks.lasting == Texts{"dc:a6:32:00:00:02"});
    CHECK(marks.passing == "02:00:00:00:00:01");
}

TEST_CASE("names: what the kernel does not say is no address") {
    CHECK(permanent_address("lo").empty());
    CHECK(permanent_address("no such interface at all").empty());
}

TEST_CASE("names: hardware without any mark has none, and the variable is the only one") {
    const TemporaryDir root;
    {
        const WithoutVariable clean;
        CHECK(find(root).lasting.empty());
        CHECK(find(root).passing.empty());
    }
    add_interface(root, "eth0", "02:00:00:00:00:01", "0", "sys/devices/soc");
    setenv("MESHD_HARDWARE_ID", "box-7", 1);
    CHECK(find(root).lasting == Texts{"box-7"});
    unsetenv("MESHD_HARDWARE_ID");
}
