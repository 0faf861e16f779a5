// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <optional>

#include "cli/doctor.h"
#include "cli/format.h"
#include "cli/render.h"
#include "cli/topology_graph.h"

namespace meshd::cli {
namespace {

constexpr double kMiB = 1024 * 1024;

std::string own_name(const DoctorFacts& facts) {
    return print_value(facts.status["node_id"]);
}

std::uint64_t count_of(const json::Value& value) {
    return value.as_uint().value_or(0);
}

/// "10.7.0.3" of "10.7.0.3:9999".
std::string host_of(const std::string& address) {
    return address.substr(0, address.rfind(':'));
}

std::string port_of(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    return colon == std::string::npos ? "9999" : address.substr(colon + 1);
}

/// The port beacons come to, and links where it was free.
std::string own_port(const DoctorFacts& facts) {
    for (const json::Value& interface : facts.diagnosis["interfaces"]) {
        return port_of(print_value(interface["address"]));
    }
    return "9999";
}

std::string accept_line(const std::string& port, const std::string& from = {}) {
    return "sudo nft insert rule inet filter input " +
           (from.empty() ? std::string() : "ip saddr " + from + " ") + "udp dport " + port +
           " accept";
}

Findings check_daemon(const DoctorFacts& facts) {
    Findings out;
    if (facts.status["left"].as_bool().value_or(false)) {
        out.push_back(
            {Severity::Problem, own_name(facts) + " has left the mesh", "meshctl discover"});
    }
    if (facts.status["isolated"].as_bool().value_or(false)) {
        out.push_back({Severity::Problem,
                       own_name(facts) + " is cut off from all others for " +
                           print_duration_ms(facts.status["isolated_ms"]),
                       "look at this box's cable or Wi-Fi: ip -brief link; ip -brief address"});
    }
    if (!facts.diagnosis.exists()) {
        out.push_back({Severity::Warning, "the daemon is older than this meshctl and tells less",
                       "install the same version of both: meshctl version"});
    }
    return out;
}

Findings check_key(const DoctorFacts& facts) {
    Findings out;
    const std::string own = own_name(facts);
    const json::Value sealing = facts.status["sealing"];
    if (facts.status["security"].as_string() != "open" && sealing["key"].is_null()) {
        out.push_back({Severity::Problem, own + " has no key: no box that has one speaks with it",
                       "on the first box of a mesh: meshctl key new; else on one that has the key: "
                       "meshctl key ls --secrets, and here: meshctl key join"});
    } else if (facts.status["security"].as_string() == "open") {
        out.push_back(
            {Severity::Note,
             "the mesh is open: nothing is encrypted, anyone on the network may join",
             (sealing["key"].is_string() ? "" : "meshctl key new; then ") +
                 std::string("on each other box: meshctl key join; then on each, this one "
                             "too: no --open, and security.mode: sealed in meshd.yaml")});
    } else if (facts.status["security"].as_string() == "mixed") {
        out.push_back({Severity::Note,
                       "boxes without a key may take part too (security.mode: mixed)",
                       "once all have the key, on each box: security.mode: sealed in meshd.yaml"});
    }
    for (const json::Value& stranger : facts.diagnosis["strangers"]) {
        const bool is_unsealed = stranger["kind"].as_string() == "unsealed";
        if (is_unsealed || stranger["kind"].as_string() == "other_key") {
            const std::string address = print_value(stranger["address"]);
            out.push_back(
                {Severity::Warning,
                 "a box at " + address +
                     (is_unsealed ? " has no key" : " uses a key that " + own + " has not"),
                 "if it belongs here, on " + host_of(address) + ": meshctl key join"});
        }
    }
    if (facts.status["security"].as_string() == "open") {
        return out;
    }
    for (const std::string& node : texts_of(sealing["without_newest"])) {
        out.push_back({Severity::Warning,
                       node + " has not got the newest key that " + own + " holds",
                       "wait until it is back; else on " + node + ": meshctl key join"});
    }
    for (const std::string& node : texts_of(sealing["not_sealed"])) {
        out.push_back(
            {Severity::Warning, node + " speaks in the open too",
             "on " + node + ": meshctl key join, and security.mode: sealed in meshd.yaml"});
    }
    return out;
}

Findings check_other_meshes(const DoctorFacts& facts) {
    // Who is alone may well be alone because of the name.
    const bool is_alone = count_of(facts.status["nodes_alive"]) <= 1;
    Findings out;
    for (const json::Value& stranger : facts.diagnosis["strangers"]) {
        const std::string address = print_value(stranger["address"]);
        if (stranger["kind"].as_string() == "other_mesh") {
            out.push_back({is_alone ? Severity::Warning : Severity::Note,
                           "mesh '" + print_value(stranger["name"]) + "' is heard from " + address +
                               ", this one is '" + print_value(facts.status["mesh"]) + "'",
                           "if that box belongs here: mesh.name: " +
                               print_value(facts.status["mesh"]) + " in its meshd.yaml"});
        } else if (stranger["kind"].as_string() == "other_version") {
            out.push_back({Severity::Warning,
                           "a box at " + address + " speaks another version of the protocol",
                           "install the same meshd there as here (" +
                               print_value(facts.status["version"]) + ")"});
        }
    }
    return out;
}

/// Words that a warning of the daemon begins with or contains, and what they mean.
struct KnownWarning {
    std::string_view words;
    std::string_view check;
    Severity severity;
    /// `{port}` is the own port.
    std::string_view remedy;
};
constexpr std::array<KnownWarning, 21> kKnownWarnings = {{
    // First: it quotes what the file says.
    {"configuration on disk", "configuration", Severity::Problem,
     "meshd --check-config with the same flags names each mistake; then: sudo systemctl reload "
     "meshd"},
    {"are not heard back", "beacons", Severity::Problem, ""},
    {"by broadcast only", "beacons", Severity::Warning,
     "switch IGMP snooping off, or have a querier on the network; else list addresses in "
     "mesh.bootstrap"},
    {"by multicast only", "beacons", Severity::Warning,
     "nothing to do as long as multicast works; else list addresses in mesh.bootstrap"},
    {"no beacon of another node is heard", "beacons", Severity::Warning,
     "switch off the isolation of clients at the access point, or list addresses in "
     "mesh.bootstrap"},
    {"beacons are not heard on", "port", Severity::Problem,
     "see who has the port: sudo ss -ulpn 'sport = :{port}'; free it, or set mesh.udp_port"},
    {"next try in 5 s", "port", Severity::Problem,
     "see who has the port: sudo ss -ulpn 'sport = :{port}'; free it, or set mesh.udp_port"},
    {"bootstrap address ", "bootstrap", Severity::Warning, ""},
    {"no usable network interface", "interface", Severity::Problem,
     "ip -brief link; ip -brief address: one must be UP and have an IPv4 address, and be in "
     "mesh.interfaces where that is set"},
    {"cannot list", "interface", Severity::Problem, "sudo journalctl -u meshd -n 30"},
    {"another node uses the name", "name", Severity::Problem,
     "give one of them another name: mesh.node_id: NAME in its meshd.yaml, then restart it"},
    {"nothing is kept until", "disk", Severity::Problem,
     "df -h; sudo journalctl -u meshd -n 30; dmesg | tail"},
    {"no room for the records", "memory", Severity::Warning,
     "raise store.memory_max in meshd.yaml"},
    {"does not answer the searches", "responders", Severity::Warning,
     "restart the program that serves these searches"},
    // What check_daemon and check_key find by themselves.
    {"has left the mesh", "daemon", Severity::Problem, ""},
    {"no mesh key", "key", Severity::Problem, ""},
    {"open: nothing is sealed", "key", Severity::Note, ""},
    {"mixed: nodes without a mesh key", "key", Severity::Note, ""},
    {"not yet sealed", "key", Severity::Warning, ""},
    {"without the newest mesh key", "key", Severity::Warning, ""},
    {"heard nodes ", "key", Severity::Warning, ""},
}};

const KnownWarning* known_warning(std::string_view warning) {
    const auto it = std::find_if(
        kKnownWarnings.begin(), kKnownWarnings.end(),
        [&](const auto& known) { return warning.find(known.words) != std::string_view::npos; });
    return it == kKnownWarnings.end() ? nullptr : &*it;
}

/// "cam.lan" of "bootstrap address cam.lan:9999: …".
std::string name_in(const std::string& warning) {
    constexpr std::string_view kBefore = "bootstrap address ";
    const std::size_t begin = warning.find(kBefore) + kBefore.size();
    return warning.substr(begin, warning.find_first_of(": ", begin) - begin);
}

std::string remedy_of(const KnownWarning& known, const std::string& warning,
                      const DoctorFacts& facts) {
    if (known.check == "bootstrap") {
        return "getent hosts " + name_in(warning) +
               "; correct the name in mesh.bootstrap, or write its address";
    }
    if (known.remedy.empty()) {
        return accept_line(own_port(facts));
    }
    std::string out(known.remedy);
    if (const std::size_t at = out.find("{port}"); at != std::string::npos) {
        out.replace(at, 6, own_port(facts));
    }
    return out;
}

/// The daemon's own warnings of one kind.
template <std::size_t kLength>
struct Word {
    constexpr Word(const char (&text)[kLength]) { std::copy_n(text, kLength, value); }
    char value[kLength];
};
template <Word kCheck>
Findings check_warnings(const DoctorFacts& facts) {
    Findings out;
    for (const std::string& warning : texts_of(facts.status["warnings"])) {
        const KnownWarning* known = known_warning(warning);
        if (known != nullptr && known->check == std::string_view(kCheck.value)) {
            out.push_back({known->severity, warning, remedy_of(*known, warning, facts)});
        }
    }
    return out;
}

Findings check_other_warnings(const DoctorFacts& facts) {
    Findings out;
    for (const std::string& warning : texts_of(facts.status["warnings"])) {
        if (known_warning(warning) == nullptr) {
            out.push_back({Severity::Warning, warning, ""});
        }
    }
    return out;
}

Findings check_one_way(const DoctorFacts& facts) {
    std::map<std::string, std::string> statuses;
    for (const json::Value& node : facts.nodes["nodes"]) {
        statuses[print_value(node["node_id"])] = print_value(node["status"]);
    }
    Findings out;
    for (const json::Value& node : facts.diagnosis["unanswered"]) {
        const std::string name = print_value(node["node_id"]);
        const std::string address = print_value(node["address"]);
        const bool is_alive = statuses[name] == "alive";
        std::string own;
        for (const json::Value& interface : facts.diagnosis["interfaces"]) {
            own = own.empty() ? host_of(print_value(interface["address"])) : own;
        }
        out.push_back({is_alive ? Severity::Warning : Severity::Problem,
                       own_name(facts) + " hears " + name + " (" + address +
                           "), which does not answer: datagrams pass one way only" +
                           (is_alive ? "; there is another way to it" : ""),
                       "on " + name + ": " + accept_line(port_of(address), own) + "; on " +
                           own_name(facts) + ": " +
                           accept_line(own_port(facts), host_of(address))});
    }
    return out;
}

Findings check_clock(const DoctorFacts& facts) {
    // Above the first what it stamps with its own clock is in a wrong order beside that of others;
    // beyond the second records are stamped with the mesh's time instead.
    constexpr std::int64_t kOffMs = 2'000;
    constexpr std::int64_t kFarOffMs = 60'000;
    const auto off = facts.diagnosis["clock_off_ms"].as_int();
    if (!off || std::abs(*off) <= kOffMs) {
        return {};
    }
    return {{std::abs(*off) > kFarOffMs ? Severity::Problem : Severity::Warning,
             "the clock of " + own_name(facts) + " is " +
                 print_duration(static_cast<double>(std::abs(*off))) +
                 (*off > 0 ? " ahead of" : " behind") + " the mesh's",
             ""}};
}

Findings check_receive_buffer(const DoctorFacts& facts) {
    const auto drops = facts.diagnosis["receive_drops"].as_uint();
    if (!drops || *drops == 0) {
        return {};
    }
    const auto received = static_cast<double>(count_of(facts.stats["datagrams_received"]));
    const double share = static_cast<double>(*drops) / (static_cast<double>(*drops) + received);
    return {{share > 0.01 ? Severity::Warning : Severity::Note,
             "the kernel dropped " + print_count(*drops, "datagram", "datagrams") + " (" +
                 print_share(share) + " of what came): the receive buffer was full",
             ""}};
}

Findings check_mtu(const DoctorFacts& facts) {
    // What IPv6 demands of every link; below it most of what is sent is cut in pieces.
    constexpr std::uint64_t kLeast = 1280;
    Findings out;
    for (const json::Value& interface : facts.diagnosis["interfaces"]) {
        const auto mtu = interface["mtu"].as_uint();
        const std::string name = print_value(interface["name"]);
        if (mtu && *mtu < kLeast) {
            out.push_back({Severity::Warning,
                           name + " takes datagrams of " + std::to_string(*mtu) + " bytes only",
                           "sudo ip link set " + name + " mtu 1500, if the network can"});
        }
    }
    return out;
}

Findings check_disk(const DoctorFacts& facts) {
    Findings out = check_warnings<"disk">(facts);
    const std::string directory = print_value(facts.diagnosis["state_dir"]);
    if (const auto free = facts.diagnosis["disk_free_bytes"].as_double();
        free && *free < 100 * kMiB) {
        out.push_back({*free < 16 * kMiB ? Severity::Problem : Severity::Warning,
                       print_size(*free) + " are free for " + directory,
                       "df -h " + directory + "; make room there"});
    }
    if (out.empty() && facts.status["store"]["durable"].as_bool() == false) {
        out.push_back({Severity::Warning, "nothing is kept on disk: a restart forgets", ""});
    }
    // An SD card of 32 GB lasts some years at this rate.
    constexpr double kWearBytesPerDay = 500 * kMiB;
    constexpr double kDayS = 86'400;
    const double uptime = facts.status["uptime_s"].as_double().value_or(0);
    const double written = facts.stats["counters"]["storage_bytes"].as_double().value_or(0);
    if (uptime > 3600 && written / uptime * kDayS > kWearBytesPerDay) {
        out.push_back({Severity::Warning,
                       print_size(written / uptime * kDayS) + " a day are written: SD cards wear",
                       "see which program puts so much: meshctl watch registry state shared"});
    }
    return out;
}

Findings check_versions(const DoctorFacts& facts) {
    const json::Value versions = facts.diagnosis["versions"];
    if (versions.size() < 2) {
        return {};
    }
    std::vector<std::string> parts;
    for (const json::Value& version : versions) {
        std::vector<std::string> nodes = texts_of(version["nodes"]);
        constexpr std::size_t kNamed = 5;
        const std::size_t all = nodes.size();
        nodes.resize(std::min(all, kNamed));
        parts.push_back(print_value(version["version"]) + " on " + join(nodes, ", ") +
                        (all > kNamed ? " and " + std::to_string(all - kNamed) + " more" : ""));
    }
    return {{Severity::Warning, "the boxes run different versions: " + join(parts, "; "), ""}};
}

struct Span {
    std::size_t hops = 0;
    std::string from;
    std::string to;
};

/// The longest of the shortest ways.
Span diameter(const TopologyGraph& graph) {
    Span out;
    std::vector<std::size_t> hops(graph.size());
    for (TopologyGraph::Vertex start = 0; start < graph.size(); ++start) {
        const auto reached = graph.component_of(start);
        std::fill(hops.begin(), hops.end(), graph.size());
        hops[start] = 0;
        for (const auto v : reached) {
            for (const auto& [next, cost] : graph.neighbours(v)) {
                hops[next] = std::min(hops[next], hops[v] + 1);
            }
        }
        for (const auto v : reached) {
            if (hops[v] > out.hops) {
                out = {hops[v], graph.name(start), graph.name(v)};
            }
        }
    }
    return out;
}

Findings check_diameter(const DoctorFacts& facts) {
    const std::uint64_t most = count_of(facts.diagnosis["hops_max"]);
    const Span span = diameter(TopologyGraph(facts.topology));
    if (most == 0 || span.hops * 4 < most * 3) {
        return {};
    }
    return {{span.hops > most ? Severity::Problem : Severity::Warning,
             "it is " + std::to_string(span.hops) + " hops from " + span.from + " to " + span.to +
                 "; farther than " + std::to_string(most) + " nothing goes",
             "put a box between " + span.from + " and " + span.to +
                 ", or link them by mesh.bootstrap"}};
}

Findings check_nodes(const DoctorFacts& facts) {
    Findings out;
    for (const json::Value& node : facts.nodes["nodes"]) {
        const std::string status = print_value(node["status"]);
        if (status == "alive" || status == "left") {
            continue;
        }
        const std::string name = print_value(node["node_id"]);
        const std::string address = print_value(node["address"]);
        const bool is_known = node["address"].is_string();
        std::string what =
            name + " is " + status + " for " + print_duration_ms(node["last_seen_ms"]);
        what += is_known ? ", last at " + address : "";
        std::string remedy =
            is_known ? "ping -c3 " + host_of(address) : "look at its power and cable";
        if (node["because"].is_string() && print_value(node["because"]) != name) {
            what += ", behind " + print_value(node["because"]);
            remedy = "bring " + print_value(node["because"]) + " back first, the way leads over it";
        } else {
            remedy += "; on " + name + ": systemctl status meshd; scrapped? meshctl forget " + name;
        }
        out.push_back({Severity::Problem, what, remedy});
    }
    return out;
}

Findings check_links(const DoctorFacts& facts) {
    constexpr double kLossy = 0.15;
    constexpr double kBad = 0.45;
    const std::string own = own_name(facts);
    Findings out;
    for (const json::Value& peer : facts.peers["peers"]) {
        const double loss = peer["loss"].as_double().value_or(0);
        const std::string name = print_value(peer["node_id"]);
        if (loss > kLossy) {
            out.push_back({loss > kBad ? Severity::Problem : Severity::Warning,
                           "the link " + own + " -- " + name + " loses " + print_share(loss) +
                               " of the exchanges",
                           "meshctl ping " + name +
                               " -c 100 -i 100ms; better the radio or the "
                               "cable between the two"});
        }
    }
    constexpr std::uint64_t kGoodCost = 10;
    for (const json::Value& link : facts.topology["links"]) {
        const std::string a = print_value(link["a"]);
        const std::string b = print_value(link["b"]);
        if (count_of(link["cost"]) > kGoodCost && a != own && b != own) {
            out.push_back({Severity::Warning, "the link " + a + " -- " + b + " is lossy",
                           "on " + a + ": meshctl ping " + b + " -c 100 -i 100ms"});
        }
    }
    return out;
}

Findings check_stores(const DoctorFacts& facts) {
    // A late joiner with a large store needs some seconds; who needs a minute is stuck.
    constexpr std::int64_t kTooLongMs = 60'000;
    Findings out;
    for (const json::Value& peer : facts.peers["peers"]) {
        const std::int64_t up_ms = peer["up_for_s"].as_int().value_or(0) * 1000;
        const std::int64_t agreed = peer["agreed_ms"].as_int().value_or(up_ms);
        if (peer["agreed_ms"].exists() && agreed > kTooLongMs) {
            out.push_back({Severity::Warning,
                           own_name(facts) + " and " + print_value(peer["node_id"]) +
                               " have not held the same data for " +
                               print_duration(static_cast<double>(agreed)),
                           ""});
        }
    }
    return out;
}

constexpr std::array<Check, 22> kChecks = {{
    {"daemon", check_daemon, "meshctl status", "the daemon answers and is in the mesh"},
    {"configuration", check_warnings<"configuration">, "", "no mistake was found on disk"},
    {"name", check_warnings<"name">, "", "nobody else uses this name"},
    {"key", check_key, "meshctl key ls, here and there, shows which keys they hold",
     "the mesh is sealed, and no other key is heard"},
    {"other meshes", check_other_meshes, "", "no other mesh or protocol version is heard"},
    {"interface", check_warnings<"interface">, "", "there is a usable network interface"},
    {"port", check_warnings<"port">, "", "the UDP port is ours"},
    {"beacons", check_warnings<"beacons">, "", "beacons come back and others' come in"},
    {"one-way", check_one_way, "", "whoever is heard answers"},
    {"bootstrap", check_warnings<"bootstrap">, "", "bootstrap names resolve"},
    {"nodes", check_nodes, "", "all known boxes are alive"},
    {"links", check_links, "", "no link loses much"},
    {"stores", check_stores, "meshctl stats: pulls and drops; sudo journalctl -u meshd -n 50",
     "this box and its peers hold the same data"},
    {"diameter", check_diameter, "", "all boxes are near enough"},
    {"versions", check_versions, "upgrade the older ones, one box at a time",
     "all boxes run the same version"},
    {"clock", check_clock, "sudo timedatectl set-ntp true", "the clock agrees with the mesh's"},
    {"receive buffer", check_receive_buffer,
     "sudo sysctl -w net.core.rmem_max=4194304, then sudo systemctl restart meshd",
     "the kernel dropped nothing"},
    {"mtu", check_mtu, "", "interfaces take whole datagrams"},
    {"disk", check_disk, "df -h; sudo journalctl -u meshd -n 30",
     "data are kept, and there is room"},
    {"memory", check_warnings<"memory">, "", "all nodes' records fit"},
    {"responders", check_warnings<"responders">, "", "local programs answer their searches"},
    {"other warnings", check_other_warnings, "sudo journalctl -u meshd -n 30",
     "the daemon has no other complaint"},
}};

}  // namespace

std::string_view severity_name(Severity severity) {
    switch (severity) {
        case Severity::Ok:
            return "ok";
        case Severity::Note:
            return "note";
        case Severity::Warning:
            return "warning";
        case Severity::Problem:
            return "problem";
    }
    return {};
}

std::vector<std::string_view> known_warning_words() {
    std::vector<std::string_view> out;
    for (const KnownWarning& known : kKnownWarnings) {
        out.push_back(known.words);
    }
    return out;
}

std::span<const Check> doctor_checks() {
    return kChecks;
}

}  // namespace meshd::cli
