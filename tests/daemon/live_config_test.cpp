// SPDX-License-Identifier: Apache-2.0
#include "daemon/live_config.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "daemon/config_key.h"
#include "tests/daemon/temporary_dir.h"

using namespace meshd;
using namespace std::chrono_literals;

namespace {

using Texts = std::vector<std::string>;

/// A file, what a start made of it, and what reloads came to.
struct Fixture {
    TemporaryDir dir;
    ConfigSources sources;
    std::vector<Settings> applied;
    std::vector<Texts> changed;
    std::vector<bool> notified;
    std::optional<LiveConfig> live;

    Fixture() {
        set_log_level(LogLevel::Error);
        sources.file = dir.path() / "m.yaml";
    }
    ~Fixture() { set_log_level(LogLevel::Info); }
    void write(const std::string& text) { dir.write("m.yaml", text); }
    void start(const std::string& text) {
        write(text);
        const auto settings = load_settings(sources);
        REQUIRE(settings);
        live.emplace(
            sources, *settings,
            LiveConfig::Callbacks{[this](const Settings& in_force, const Texts& keys) {
                                      applied.push_back(in_force);
                                      changed.push_back(keys);
                                  },
                                  [this](bool is_reloading) { notified.push_back(is_reloading); }});
    }
    ConfigKeyView key(const std::string& name) const {
        const auto keys = live->keys();
        const auto found = std::find_if(
            keys.begin(), keys.end(), [&](const ConfigKeyView& view) { return view.key == name; });
        REQUIRE(found != keys.end());
        return *found;
    }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "live config: each key is told with its origin and place") {
    sources.overrides = {{"--set mesh.mtu=800", "mesh.mtu", "800", {}},
                         {"--open", "security.mode", {}, {"open"}}};
    start("mesh:\n  max_peers: 6\n  interfaces: [eth0]\n  forget_after: 90\nstate: {a: 1}\n");
    CHECK(live->keys().size() == config_keys().size());
    CHECK(key("mesh.max_peers").value == "6");
    CHECK(key("mesh.max_peers").default_value == "10");
    CHECK(key("mesh.max_peers").origin == ConfigOrigin::File);
    CHECK(key("mesh.max_peers").place == sources.file->string() + ":2:14");
    CHECK(key("mesh.interfaces").value == R"(["eth0"])");
    CHECK(key("mesh.forget_after").value == R"("90s")");
    CHECK(key("mesh.mtu").origin == ConfigOrigin::Set);
    CHECK(key("mesh.mtu").place == "--set mesh.mtu=800");
    CHECK(key("security.mode").origin == ConfigOrigin::Flag);
    CHECK(key("security.mode").place == "--open");
    CHECK(key("mesh.name").origin == ConfigOrigin::Default);
    CHECK(key("mesh.name").place.empty());
    CHECK(key("state").value == R"({"a":1})");
    CHECK(live->files() == Texts{sources.file->string()});
}

TEST_CASE_FIXTURE(Fixture, "live config: a reload applies what can change and names the rest") {
    start("mesh: {max_peers: 6, mtu: 800}\n");
    write("mesh: {max_peers: 7, mtu: 900, bootstrap: [10.0.0.1]}\nlog: {level: error}\n");
    const auto result = live->reload();
    REQUIRE(result);
    CHECK(result->applied == Texts{"mesh.bootstrap", "mesh.max_peers", "log.level"});
    CHECK(result->restart == Texts{"mesh.mtu"});
    CHECK(result->unchanged == config_keys().size() - 4);
    REQUIRE(applied.size() == 1);
    CHECK(changed[0] == result->applied);
    CHECK(applied[0].core.max_peers == 7);
    CHECK(applied[0].core.datagram_bytes == 800);
    CHECK(applied[0].core.bootstrap.size() == 1);
    CHECK(applied[0].log_level == LogLevel::Error);
    CHECK(notified == std::vector<bool>{true, false});

    CHECK(key("mesh.mtu").value == "800");
    CHECK(key("mesh.mtu").pending == "900");
    CHECK(key("mesh.mtu").place == sources.file->string() + ":1:27");
    CHECK(key("mesh.max_peers").pending.empty());
    // It is still to be said, until the restart.
    CHECK(live->reload()->restart == Texts{"mesh.mtu"});
    CHECK(live->reload()->applied.empty());
    write("mesh: {max_peers: 7, mtu: 800, bootstrap: [10.0.0.1]}\nlog: {level: error}\n");
    CHECK(live->reload()->restart.empty());
    CHECK(key("mesh.mtu").pending.empty());
}

TEST_CASE_FIXTURE(Fixture, "live config: a wrong file changes nothing and says everything") {
    start("mesh: {max_peers: 6}\n");
    write("mesh: {max_peers: 99, heartbeat_interval: 1s}\nmash: {}\n");
    const auto result = live->reload();
    REQUIRE_FALSE(result);
    CHECK(result.error().size() == 2);
    CHECK(result.error()[0].find("m.yaml:1:19: ") != std::string::npos);
    CHECK(applied.empty());
    CHECK(key("mesh.max_peers").value == "6");
    CHECK(key("mesh.heartbeat_interval").value == R"("5s")");
    CHECK(notified == std::vector<bool>{true, false});
    std::filesystem::remove(*sources.file);
    CHECK_FALSE(live->reload());
    CHECK(key("mesh.max_peers").value == "6");
}

TEST_CASE_FIXTURE(Fixture, "live config: a mistake on disk is warned of until a reload is right") {
    start("mesh: {max_peers: 6}\n");
    CHECK(live->warnings().empty());
    write("mesh: {max_peers: 99}\nmash: {}\n");
    CHECK_FALSE(live->reload());
    REQUIRE(live->warnings().size() == 1);
    const std::string warning = live->warnings().front();
    CHECK(warning.starts_with("the configuration on disk is wrong, a restart fails: " +
                              sources.file->string() + ":1:19: mesh.max_peers"));
    CHECK(warning.ends_with("got \"99\" (and 1 more)"));
    write("mesh: {max_peers: 7}\n");
    CHECK(live->reload());
    CHECK(live->warnings().empty());
}

TEST_CASE_FIXTURE(Fixture, "live config: a default file that is gone resets nothing") {
    sources.default_file = *sources.file;
    sources.file.reset();
    write("mesh: {max_peers: 6}\n");
    const auto settings = load_settings(sources);
    REQUIRE(settings);
    live.emplace(sources, *settings,
                 LiveConfig::Callbacks{[](const Settings&, const Texts&) {}, [](bool) {}});
    dir.write("m.yaml.d/10.yaml", "mesh: {mtu: 900}\n");
    CHECK(live->reload());
    std::filesystem::remove(dir.path() / "m.yaml.d/10.yaml");
    CHECK(live->reload());
    std::filesystem::remove(sources.default_file);
    const auto gone = live->reload();
    REQUIRE_FALSE(gone);
    CHECK(gone.error() ==
          Texts{sources.default_file.string() + ": is gone; what it said stays in force"});
    CHECK(live->warnings().front().starts_with("the configuration on disk is gone, a restart"));
    CHECK(key("mesh.max_peers").value == "6");
    write("mesh: {max_peers: 8}\n");
    CHECK(live->reload()->applied == Texts{"mesh.max_peers"});
    CHECK(live->warnings().empty());
}

TEST_CASE_FIXTURE(Fixture, "live config: errors and places are UTF-8 whatever the file holds") {
    start("state_dir: \"/tmp/\xff\xc3\xa9\"\n");
    CHECK(json::is_utf8(key("state_dir").value));
    write("mesh: {name: \"a\xff b\"}\n");
    const auto result = live->reload();
    REQUIRE_FALSE(result);
    CHECK(json::is_utf8(result.error()[0]));
}

TEST_CASE_FIXTURE(Fixture, "live config: a key taken out of the file is at its default again") {
    start("mesh: {max_peers: 6}\n");
    write("");
    CHECK(live->reload()->applied == Texts{"mesh.max_peers"});
    CHECK(key("mesh.max_peers").value == "10");
    CHECK(key("mesh.max_peers").origin == ConfigOrigin::Default);
}

TEST_CASE_FIXTURE(Fixture, "live config: flags of the start beat the files of a reload") {
    sources.overrides = {{"--set mesh.max_peers=4", "mesh.max_peers", "4", {}}};
    start("");
    write("mesh: {max_peers: 9}\n");
    CHECK(live->reload()->applied.empty());
    CHECK(key("mesh.max_peers").value == "4");
}

TEST_CASE_FIXTURE(Fixture, "live config: a drop-in that came later is found") {
    start("mesh: {max_peers: 6}\n");
    dir.write("m.yaml.d/10.yaml", "mesh: {max_peers: 8}\n");
    CHECK(live->reload()->applied == Texts{"mesh.max_peers"});
    CHECK(live->files().size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "live config: bounds that were widened again are as if never narrowed") {
    start("");
    write("mesh: {heartbeat_timeout: 300ms}\n");
    CHECK(live->reload()->applied == Texts{"mesh.heartbeat_timeout"});
    CHECK(applied.back().core.link_patience == 300ms);
    CHECK(applied.back().core.link_patience_max == 300ms);
    write("");
    CHECK(live->reload());
    CHECK(applied.back().core.link_patience == 600ms);
    CHECK(applied.back().core.link_patience_max == 3s);
}

TEST_CASE_FIXTURE(Fixture, "live config: bootstrap addresses keep the port that is in use") {
    start("mesh: {udp_port: 7000}\n");
    write("mesh: {udp_port: 8000, bootstrap: [10.0.0.1]}\n");
    CHECK(live->reload()->restart == Texts{"mesh.udp_port"});
    REQUIRE(applied.back().core.bootstrap.size() == 1);
    CHECK(applied.back().core.bootstrap[0] == ipv4_endpoint({10, 0, 0, 1}, 7000));
}

TEST_CASE_FIXTURE(Fixture, "live config: a level set by a call lasts until the next reload") {
    start("log: {level: warning}\n");
    live->set_log_level(LogLevel::Debug);
    CHECK(changed.back() == Texts{"log.level"});
    CHECK(applied.back().log_level == LogLevel::Debug);
    CHECK(live->log_level() == LogLevel::Debug);
    CHECK(key("log.level").origin == ConfigOrigin::Call);
    CHECK(live->reload()->applied == Texts{"log.level"});
    CHECK(live->log_level() == LogLevel::Warning);
    CHECK(key("log.level").origin == ConfigOrigin::File);
}
