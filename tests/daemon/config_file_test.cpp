// SPDX-License-Identifier: Apache-2.0
#include "daemon/config_file.h"

#include <doctest/doctest.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "daemon/config_key.h"
#include "tests/daemon/temporary_dir.h"

using namespace meshd;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> errors_of(const std::string& text) {
    Settings settings;
    std::vector<std::string> errors;
    apply_config_text("f.yaml", text, settings, errors);
    return errors;
}

/// The only error, or all of them in one text where there is not exactly one.
std::string error_of(const std::string& text) {
    const auto errors = errors_of(text);
    std::string all = errors.size() == 1 ? "" : std::to_string(errors.size()) + " errors: ";
    for (const auto& error : errors) {
        all += error;
    }
    return all;
}

Settings settings_of(const std::string& text) {
    Settings settings;
    std::vector<std::string> errors;
    apply_config_text("f.yaml", text, settings, errors);
    CHECK(errors.empty());
    return settings;
}

bool contains(const std::string& text, const std::string& part) {
    CAPTURE(text);
    CAPTURE(part);
    const bool found = text.find(part) != std::string::npos;
    CHECK(found);
    return found;
}

ConfigSources without_files() {
    ConfigSources sources;
    sources.default_file = "/nonexistent/meshd.yaml";
    return sources;
}

}  // namespace

TEST_CASE("config: every key is read into its place") {
    const Settings settings = settings_of(R"(
mesh:
  node_id: cam-1
  name: yard
  udp_port: 9000
  interfaces: [eth0, wlan*]
  bootstrap: [10.7.0.1, "10.8.0.1:9998"]
  max_peers: 6
  broadcast_interval: 500ms
  broadcast_interval_max: 10m
  heartbeat_interval: 0.75
  link_patience: 1
  heartbeat_timeout: 3
  forget_after: 48h
  mtu: 1200
security: {mode: open}
socket: {path: /tmp/x.sock}
log: {level: debug}
state_dir: /tmp/state
state: {location: gate, cameras: 2, tags: [a, 1.5, true, null, "7"]}
)");
    CHECK(settings.node_id == "cam-1");
    CHECK(settings.core.mesh_name == "yard");
    CHECK(settings.udp_port == 9000);
    CHECK(settings.interfaces == std::vector<std::string>{"eth0", "wlan*"});
    CHECK(settings.bootstrap == std::vector<std::string>{"10.7.0.1", "10.8.0.1:9998"});
    CHECK(settings.core.max_peers == 6);
    CHECK(settings.core.broadcast_interval == 500ms);
    CHECK(settings.core.broadcast_interval_max == 10min);
    CHECK(settings.core.heartbeat_interval == 750ms);
    CHECK(settings.link_patience == 1s);
    CHECK(settings.heartbeat_timeout == 3s);
    CHECK(settings.core.forget_after == 48h);
    CHECK(settings.core.datagram_bytes == 1200);
    CHECK(settings.core.security == SecurityMode::Open);
    CHECK(settings.socket_path == "/tmp/x.sock");
    CHECK(settings.log_level == LogLevel::Debug);
    CHECK(settings.state_dir == "/tmp/state");
    CHECK(settings.core.initial_state ==
          R"({"location":"gate","cameras":2,"tags":["a",1.5,true,null,"7"]})");
}

TEST_CASE("config: an empty file and empty sections change nothing") {
    for (const char* text :
         {"", "# only a comment\n", "mesh:\n", "mesh:\nlog:\nstate:\n", "---\n"}) {
        CAPTURE(text);
        CHECK(errors_of(text).empty());
    }
}

TEST_CASE("config: an unknown key is named with its place and the nearest known one") {
    const std::string error = error_of("mesh:\n  max_peer: 5\n");
    contains(error, "f.yaml:2:3: ");
    contains(error, "did you mean \"mesh.max_peers\"?");
    contains(error_of("max_peers: 5\n"), "did you mean \"mesh.max_peers\"?");
    contains(error_of("max_pears: 5\n"), "did you mean \"mesh.max_peers\"?");
    contains(error_of("mesh:\n  persist_interval: 5\n"),
             "did you mean \"store.persist_interval\"?");
    contains(error_of("log:\n  levl: info\n"), "did you mean \"log.level\"?");
    contains(error_of("mesh:\n  quantum_flux: 1\n"), "etc/meshd.yaml lists all keys");
}

TEST_CASE("config: an unknown section is named with the nearest section") {
    contains(error_of("mehs:\n  x: 1\n"),
             "f.yaml:1:1: unknown key \"mehs\"; did you mean \"mesh\"?");
    contains(error_of("mash:\n  max_peers: 1\n"), "did you mean \"mesh\"?");
    contains(error_of("stores: {}\n"), "did you mean \"store\"?");
    contains(error_of("statedir: /x\n"), "did you mean \"state_dir\"?");
}

TEST_CASE("config: the default file may be absent, but not be closed to the reader") {
    const TemporaryDir dir;
    ConfigSources sources;
    sources.default_file = dir.write("inner/meshd.yaml", "mesh: {max_peers: 6}\n");
    CHECK(load_settings(sources)->core.max_peers == 6);
    std::filesystem::permissions(dir.path() / "inner", std::filesystem::perms::none);
    std::filesystem::permissions(dir.path(), std::filesystem::perms::all);
    // Root enters everywhere; the user id for files alone is enough to be nobody for a while.
    const int user = setfsuid(geteuid() == 0 ? 65534 : geteuid());
    const auto closed = load_settings(sources);
    setfsuid(static_cast<uid_t>(user));
    std::filesystem::permissions(dir.path() / "inner", std::filesystem::perms::all);
    REQUIRE_FALSE(closed);
    contains(closed.error().front(), "cannot read the configuration: Permission denied");
    std::filesystem::remove(sources.default_file);
    CHECK(load_settings(sources));
}

TEST_CASE("config: a key given twice is an error at its second place") {
    const std::string error = error_of("mesh:\n  max_peers: 5\n  udp_port: 9999\n  max_peers: 6\n");
    contains(error, "f.yaml:4:3: ");
    contains(error, "line 2");
    contains(error_of("mesh:\n  max_peers: 5\nmesh:\n  udp_port: 9\n"), "f.yaml:3:1: ");
    contains(error_of("state: {a: 1, a: 2}\n"), "\"a\" twice");
    contains(error_of("mesh.name: foo\nmesh:\n  name: bar\n"),
             "f.yaml:3:3: key \"mesh.name\" is there already, in line 1");
    contains(error_of("mesh: {name: bar}\nmesh.name: foo\n"),
             "f.yaml:2:1: key \"mesh.name\" is there already, in line 1");
}

TEST_CASE("config: a value of the wrong type or range says what was expected") {
    struct Case {
        const char* text;
        const char* expected;
    };
    for (const Case& c : {
             Case{"mesh:\n  max_peers: many\n", "f.yaml:2:14: mesh.max_peers"},
             Case{"mesh:\n  max_peers: many\n", "a whole number from 1 to 32, got \"many\""},
             Case{"mesh:\n  max_peers: 0\n", "from 1 to 32"},
             Case{"mesh:\n  max_peers: 33\n", "from 1 to 32"},
             Case{"mesh:\n  max_peers: 2.5\n", "a whole number"},
             Case{"mesh:\n  max_peers: [5]\n", "got the list [5]"},
             Case{"mesh:\n  max_peers:\n", ":2:3: mesh.max_peers (links this node holds)"},
             Case{"mesh:\n  max_peers: {a: 1}\n", "got a mapping"},
             Case{"mesh:\n  udp_port: 65536\n", "from 1 to 65535"},
             Case{"mesh:\n  link_patience: soon\n", "a duration from 500ms to 60s"},
             Case{"mesh:\n  link_patience: -2\n", "a duration"},
             Case{"mesh:\n  link_patience: 5x\n", "a duration"},
             Case{"mesh:\n  interfaces: eth0\n", "a list of texts"},
             Case{"mesh:\n  interfaces: [[eth0]]\n", "a list"},
             Case{"mesh:\n  bootstrap: [10.0.0.300]\n", "IPv4 addresses or host names"},
             Case{"mesh:\n  bootstrap: [10.0.0.1, x y]\n", "got the list [10.0.0.1, x y]"},
             Case{"mesh:\n  bootstrap: [\"x:0\"]\n", "IPv4 addresses or host names"},
             Case{"mesh:\n  bootstrap: [\"[fd00::1]:9999\"]\n", "IPv4 addresses or host names"},
             Case{"mesh:\n  node_id: \"a b\"\n", "A-Z a-z 0-9"},
             Case{"mesh: 5\n", "f.yaml:1:7: mesh: expected a mapping"},
             Case{"security:\n  mode: ajar\n", "one of sealed|mixed|open"},
             Case{"log:\n  level: \"\"\n", "one of debug|info|warning|error"},
             Case{"log:\n  level: debug|info\n", "one of debug|info|warning|error"},
             Case{"state: [1]\n", "a mapping"},
             Case{"- mesh\n", "f.yaml:1:1: expected a mapping"},
             Case{"mesh:\n  ? [a]\n  : 1\n", "expected a key"},
             Case{"mesh: {a\n", "not YAML"},
             Case{"mesh:\n\t- x\n", "not YAML"},
             Case{"a: 1\n---\nb: 2\n", "one YAML document"},
         }) {
        CAPTURE(c.text);
        contains(error_of(c.text), c.expected);
    }
}

TEST_CASE("config: all mistakes are told at once") {
    CHECK(errors_of("mesh:\n  max_peers: 0\n  udp_port: 0\nx: 1\n").size() == 3);
}

TEST_CASE("config: a state document that refers to itself or explodes is refused") {
    contains(error_of("state: &a\n  x: *a\n"), "deeper than");
    std::string bomb = "state:\n  a0: &a0 [xxxxxxxxxxxxxxxx, xxxxxxxxxxxxxxxx]\n";
    for (int i = 1; i < 30; ++i) {
        const std::string last = "*a" + std::to_string(i - 1);
        bomb += "  a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last + ", " + last +
                ", " + last + ", " + last + "]\n";
    }
    contains(error_of(bomb), "longer than 64 KiB");
    contains(error_of("state: {x: " + std::string(70'000, 'x') + "}\n"), "64 KiB");
    CHECK(errors_of("state: {x: " + std::string(300, '[') + "}\n").size() == 1);
}

TEST_CASE("config: drop-ins follow the file by name, then overrides, the last one wins") {
    const TemporaryDir dir;
    ConfigSources sources;
    sources.file = dir.write("m.yaml", "mesh:\n  max_peers: 3\n  udp_port: 1001\n  mtu: 700\n");
    dir.write("m.yaml.d/20-b.yaml", "mesh:\n  udp_port: 1003\n");
    dir.write("m.yaml.d/10-a.yaml", "mesh:\n  udp_port: 1002\n  max_peers: 4\n");
    dir.write("m.yaml.d/30-c.txt", "not read");
    dir.write("m.yaml.d/.40-d.yaml", "an editor's leavings");
    sources.overrides = {{"--set", "mesh.mtu", "800", {}}, {"--mesh", "mesh.name", {}, {"yard"}}};
    const auto settings = load_settings(sources);
    REQUIRE(settings);
    CHECK(settings->udp_port == 1003);
    CHECK(settings->core.max_peers == 4);
    CHECK(settings->core.datagram_bytes == 800);
    CHECK(settings->core.mesh_name == "yard");
    const std::string folder = sources.file->string() + ".d/";
    CHECK(settings->files == std::vector<std::string>{sources.file->string(), folder + "10-a.yaml",
                                                      folder + "20-b.yaml"});
}

TEST_CASE("config: the mistakes of all files and flags are told at once") {
    const TemporaryDir dir;
    ConfigSources sources;
    sources.file = dir.write("m.yaml", "mesh: {max_peers: 0, mtu: 1}\n");
    dir.write("m.yaml.d/1.yaml", "mesh: [\n");
    dir.write("m.yaml.d/2.yaml", "x: 1\n");
    sources.overrides = {{"--mesh", "mesh.name", {}, {""}}};
    const auto settings = load_settings(sources);
    REQUIRE_FALSE(settings);
    CHECK(settings.error().size() == 5);
}

TEST_CASE("config: a drop-in that cannot be read is an error") {
    const TemporaryDir dir;
    ConfigSources sources;
    sources.file = dir.write("m.yaml", "");
    dir.write("m.yaml.d/1.yaml/not-a-file", "");
    const auto settings = load_settings(sources);
    REQUIRE_FALSE(settings);
    contains(settings.error().at(0), "1.yaml: cannot read");
}

TEST_CASE("config: a mistake in a drop-in names that file") {
    const TemporaryDir dir;
    ConfigSources sources;
    sources.file = dir.write("m.yaml", "");
    dir.write("m.yaml.d/10.yaml", "mesh:\n  udpport: 1\n");
    const auto settings = load_settings(sources);
    REQUIRE_FALSE(settings);
    contains(settings.error().at(0), (dir.path() / "m.yaml.d/10.yaml").string() + ":2:3: ");
}

TEST_CASE("config: a file asked for must exist, the default one may be absent") {
    CHECK(load_settings(without_files()));
    ConfigSources sources = without_files();
    sources.file = "/nonexistent/other.yaml";
    const auto settings = load_settings(sources);
    REQUIRE_FALSE(settings);
    contains(settings.error().at(0), "/nonexistent/other.yaml: cannot read");
    sources.file = "/";
    CHECK_FALSE(load_settings(sources));
}

TEST_CASE("config: overrides are as strict as the file") {
    ConfigSources sources = without_files();
    sources.overrides = {{"--set mesh.max_peers=x", "mesh.max_peers", "x", {}},
                         {"--set mesh.maxpeers=1", "mesh.maxpeers", "1", {}},
                         {"--set mesh.interfaces=[", "mesh.interfaces", "[", {}},
                         {"--node-id", "mesh.node_id", {}, {"a b"}}};
    const auto settings = load_settings(sources);
    REQUIRE_FALSE(settings);
    REQUIRE(settings.error().size() == 4);
    contains(settings.error()[0], "--set mesh.max_peers=x: mesh.max_peers");
    contains(settings.error()[1], "did you mean \"mesh.max_peers\"?");
    contains(settings.error()[2], "--set mesh.interfaces=[: ");
    contains(settings.error()[3], "--node-id: ");
}

TEST_CASE("config: lists and mappings can be set on the command line") {
    ConfigSources sources = without_files();
    sources.overrides = {
        {"--set", "mesh.interfaces", "[lo]", {}},
        {"--set", "state", "{a: 1}", {}},
        {"--bootstrap", "mesh.bootstrap", {}, {"10.0.0.1", "gate.example", "10.0.0.2:5", "yard:6"}},
        {"--set", "mesh.udp_port", "7000", {}}};
    const auto settings = load_settings(sources);
    REQUIRE(settings);
    CHECK(settings->interfaces == std::vector<std::string>{"lo"});
    CHECK(settings->core.initial_state == "{\"a\":1}");
    REQUIRE(settings->core.bootstrap.size() == 2);
    CHECK(settings->core.bootstrap[0] == ipv4_endpoint({10, 0, 0, 1}, 7000));
    CHECK(settings->core.bootstrap[1] == ipv4_endpoint({10, 0, 0, 2}, 5));
    REQUIRE(settings->bootstrap_hosts.size() == 2);
    CHECK(settings->bootstrap_hosts[0] == BootstrapHost{"gate.example", 7000});
    CHECK(settings->bootstrap_hosts[1] == BootstrapHost{"yard", 6});
}

TEST_CASE("config: more bootstrap addresses than are asked are refused") {
    std::string list;
    for (int i = 0; i < 64; ++i) {
        list += "host" + std::to_string(i) + ", ";
    }
    CHECK(errors_of("mesh:\n  bootstrap: [" + list + "]\n").empty());
    contains(error_of("mesh:\n  bootstrap: [" + list + "one-more]\n"), "at most 64 addresses");
}

TEST_CASE("config: rules between keys are checked at the end") {
    ConfigSources sources = without_files();
    sources.overrides = {{"--set", "mesh.broadcast_interval", "2m", {}}};
    const auto settings = load_settings(sources);
    REQUIRE_FALSE(settings);
    CHECK(settings.error().size() == 1);
}

TEST_CASE("config: a contradiction points at the key that was set last") {
    const TemporaryDir dir;
    ConfigSources sources;
    sources.file = dir.write("m.yaml", "mesh:\n  broadcast_interval_max: 3s\n");
    const std::string file = sources.file->string();
    const auto in_file = load_settings(sources);
    REQUIRE_FALSE(in_file);
    REQUIRE(in_file.error().size() == 1);
    // Where the other key is at its default, there is only one place to point at.
    contains(in_file.error()[0], file + ":2:27: mesh.broadcast_interval_max: expected at least");

    dir.write("m.yaml.d/10.yaml", "mesh: {broadcast_interval: 4s}\n");
    const auto later = load_settings(sources);
    REQUIRE_FALSE(later);
    contains(later.error().at(0), "m.yaml.d/10.yaml:1:28: mesh.broadcast_interval_max");

    sources.overrides = {{"--set mesh.broadcast_interval=9s", "mesh.broadcast_interval", "9s", {}}};
    const auto last = load_settings(sources);
    REQUIRE_FALSE(last);
    contains(last.error().at(0), "--set mesh.broadcast_interval=9s: mesh.broadcast_interval_max");
}

TEST_CASE("config: heartbeat_timeout bounds the patience with a link") {
    ConfigSources sources = without_files();
    CHECK(load_settings(sources)->core.link_patience == 600ms);
    CHECK(load_settings(sources)->core.link_patience_max == 3s);
    sources.overrides = {{"--set", "mesh.heartbeat_timeout", "1500ms", {}}};
    CHECK(load_settings(sources)->core.link_patience == 600ms);
    CHECK(load_settings(sources)->core.link_patience_max == 1500ms);
    sources.overrides = {{"--set", "mesh.heartbeat_timeout", "300ms", {}}};
    CHECK(load_settings(sources)->core.link_patience == 300ms);
    CHECK(load_settings(sources)->core.link_patience_max == 300ms);
    sources.overrides = {{"--set", "mesh.link_patience", "10", {}}};
    CHECK(load_settings(sources)->core.link_patience == 10s);
    CHECK(load_settings(sources)->core.link_patience_max == 10s);
}

TEST_CASE("config: etc meshd.yaml shows exactly the known keys, commented out at their defaults") {
    std::ifstream stream(MESHD_SOURCE_DIR "/etc/meshd.yaml");
    REQUIRE(stream);
    std::ostringstream content;
    content << stream.rdbuf();
    CHECK(errors_of(content.str()).empty());

    std::istringstream lines(content.str());
    std::string section;
    std::string uncommented;
    std::set<std::string> shown;
    bool has_comment = false;
    std::string comment;
    for (std::string line; std::getline(lines, line);) {
        const std::size_t start = line.find_first_not_of(' ');
        if (start == std::string::npos) {
            has_comment = false;
        } else if (line[start] != '#') {
            REQUIRE(line.back() == ':');
            section = line.substr(0, line.size() - 1) + ".";
            uncommented += line + "\n";
        } else {
            const std::string rest = line.substr(std::min(start + 2, line.size()));
            const std::size_t colon = rest.find(": ");
            const std::string name = (start == 0 ? "" : section) + rest.substr(0, colon);
            const ConfigKey* key = colon == std::string::npos ? nullptr : find_config_key(name);
            if (key != nullptr) {
                CAPTURE(name);
                CHECK(rest.substr(colon + 2) == key->default_text);
                CHECK(shown.insert(name).second);
                CHECK(has_comment);
                const bool says_restart = comment.ends_with("(restart)");
                CHECK(says_restart != key->is_live);
                uncommented += std::string(start, ' ') + rest + "\n";
            }
            has_comment = true;
            comment = rest;
        }
    }
    for (const ConfigKey& key : config_keys()) {
        CAPTURE(key.name);
        CHECK(shown.count(std::string(key.name)) == 1);
    }

    const Settings defaults;
    const Settings settings = settings_of(uncommented);
    for (const ConfigKey& key : config_keys()) {
        CAPTURE(key.name);
        const bool is_default = key.get(settings) == key.get(defaults);
        CHECK(is_default);
    }
}

TEST_CASE("config: what a key stores is read again as it was") {
    for (const ConfigKey& key : config_keys()) {
        CAPTURE(key.name);
        ConfigValue value;
        value.shape = ConfigValue::Shape::Scalar;
        switch (key.type) {
            case ConfigType::Text:
                value.text = "some-text";
                break;
            case ConfigType::Integer:
                value.text = std::to_string(key.high);
                break;
            case ConfigType::TimeSpan:
                value.text = print_duration(std::chrono::milliseconds(key.low));
                break;
            case ConfigType::Choice:
                value.text = key.choices.substr(key.choices.rfind('|') + 1);
                break;
            case ConfigType::List:
                value.shape = ConfigValue::Shape::List;
                value.items = {"a", "b"};
                break;
            case ConfigType::Document:
                value.shape = ConfigValue::Shape::Mapping;
                value.json = R"({"a":1})";
                break;
        }
        Settings settings;
        REQUIRE_FALSE(apply_config_value(key, value, settings));
        const TypedValue got = key.get(settings);
        CHECK(got.text == (key.type == ConfigType::Document ? value.json
                           : key.type == ConfigType::Text || key.type == ConfigType::Choice
                               ? value.text
                               : ""));
        CHECK(got.list == value.items);
        if (key.type == ConfigType::Integer) {
            CHECK(got.integer == key.high);
        }
        if (key.type == ConfigType::TimeSpan) {
            CHECK(got.duration == std::chrono::milliseconds(key.low));
        }
        // And again into other settings, as a reload does it.
        Settings others;
        CHECK_FALSE(key.set(others, got));
        const bool is_same = key.get(others) == got;
        CHECK(is_same);
    }
}

TEST_CASE("config: a text of which the parser makes documents without end is refused") {
    for (const char* text : {", b", ", b: [x, 1.5]\nlog:\n  level: info\n", ",", "]", "}"}) {
        CAPTURE(text);
        Settings settings;
        std::vector<std::string> errors;
        apply_config_text("f.yaml", text, settings, errors);
        CHECK(errors.size() == 1);
    }
}
