// SPDX-License-Identifier: Apache-2.0
#include "daemon/udp.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "daemon/log.h"

namespace meshd {
namespace {

/// Datagrams read in one turn of the loop: strangers can fill all but the links' sockets, so less
/// there.
constexpr std::size_t kLinksReadsMax = 256;
constexpr std::size_t kStrangersReadsMax = 64;
/// A program that holds the port may end at any time; asking costs a system call.
constexpr Duration kRetryInterval = std::chrono::seconds(5);
/// Snooping switches forget a member after 260 s (RFC 3376, 8.4), some after 130 s.
constexpr Duration kRejoinInterval = std::chrono::seconds(60);
/// Where no beacon comes by multicast: the report was lost, as in the first 30 s of a switch port.
constexpr Duration kRejoinSooner = std::chrono::seconds(10);

Ipv4 ipv4_bytes(const Endpoint& endpoint) {
    Ipv4 bytes{};
    std::copy(endpoint.address.begin() + 12, endpoint.address.end(), bytes.begin());
    return bytes;
}

std::string print_address(const Ipv4& address, std::uint16_t port) {
    return print_endpoint(ipv4_endpoint(address, port));
}

/// The local address that the routes choose for a destination (no datagram is sent).
std::optional<Ipv4> route_source(const sockaddr_in& to) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in local{};
    socklen_t size = sizeof local;
    const bool is_known = fd >= 0 &&
                          connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 &&
                          getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) == 0;
    if (fd >= 0) {
        close(fd);
    }
    if (!is_known) {
        return std::nullopt;
    }
    Ipv4 address{};
    std::memcpy(address.data(), &local.sin_addr, address.size());
    return address;
}

}  // namespace

struct Udp::Speaker {
    LocalInterface interface;
    std::uint16_t port = 0;
    std::unique_ptr<UdpSocket> unicast;
    std::unique_ptr<UdpSocket> strangers;  ///< none: unicast hears them
    int guard = -1;
    std::unique_ptr<UdpSocket> broadcast;
    std::unique_ptr<UdpSocket> multicast;
    std::string unicast_trouble;
    std::string discovery_trouble;
    BeaconWatch watch{{}};
    bool has_watch = false;
    std::string beacon_trouble;
    TimePoint joined_at{};
    std::vector<OutgoingDatagram> outgoing;

    Speaker() = default;
    Speaker(const Speaker&) = delete;
    Speaker& operator=(const Speaker&) = delete;
    ~Speaker() {
        // The guard is the last to go: until then nobody else gets the port.
        unicast.reset();
        strangers.reset();
        if (guard >= 0) {
            close(guard);
        }
    }

    Endpoint endpoint() const { return ipv4_endpoint(interface.address, port, interface.index); }
};

Udp::Udp(uv_loop_t* loop, std::uint16_t port, Duration beacon_silence_max, OnDatagram on_datagram,
         OnTurnEnd on_turn_end)
    : loop_(loop),
      port_(port),
      beacon_silence_max_(beacon_silence_max),
      on_datagram_(std::move(on_datagram)),
      on_turn_end_(std::move(on_turn_end)),
      room_(std::make_unique<ReceiveRoom>()) {}

Udp::~Udp() = default;

std::unique_ptr<UdpSocket> Udp::listen(Speaker& speaker, int fd, Ear ear) {
    const std::uint32_t index = speaker.interface.index;
    std::optional<BeaconWay> way;
    if (ear == Ear::Broadcast || ear == Ear::Multicast) {
        way = ear == Ear::Broadcast ? BeaconWay::Broadcast : BeaconWay::Multicast;
    }
    // A unicast datagram counts as come by its socket's interface even where the kernel took it
    // from another one (weak host model, or the same host): the reply must leave from the address
    // that was asked.
    auto on_datagram = [this, index, way, &speaker](const sockaddr_in& from, std::uint32_t via,
                                                    Bytes bytes) {
        if (way && via != index) {
            ++counters_.received_elsewhere;
            return;
        }
        Ipv4 address{};
        std::memcpy(address.data(), &from.sin_addr, address.size());
        const Endpoint sender = ipv4_endpoint(address, ntohs(from.sin_port), index);
        if (way) {
            on_beacon(speaker, *way, sender);
        }
        on_datagram_(sender, bytes);
    };
    const bool is_links = ear == Ear::Links;
    UdpSocket::Options options;
    options.reads_max = is_links ? kLinksReadsMax : kStrangersReadsMax;
    options.rests = !is_links;
    options.dropped = is_links ? &UdpCounters::links_dropped
                      : way    ? &UdpCounters::beacons_dropped
                               : &UdpCounters::strangers_dropped;
    // Whatever strangers send waits until the links have been heard.
    const auto on_turn_begin = [this, is_links] {
        if (!is_links) {
            read_links();
        }
    };
    return std::make_unique<UdpSocket>(
        loop_, fd, options, *room_, counters_,
        UdpSocket::Callbacks{on_turn_begin, on_datagram, [this] { on_turn_end_(); }});
}

void Udp::read_links() {
    for (const auto& speaker : speakers_) {
        if (speaker->unicast) {
            speaker->unicast->read_turn();
        }
    }
}

void Udp::filter(Speaker& speaker) {
    using Use = DatagramFilter::Use;
    const auto set = [this](const std::unique_ptr<UdpSocket>& socket, Use use) {
        if (socket) {
            socket->filter({use, key_hints_, sessions_});
        }
    };
    set(speaker.unicast, speaker.strangers ? Use::Sessions : Use::All);
    set(speaker.strangers, Use::Outside);
}

void Udp::set_sessions(std::vector<SessionId> sessions) {
    sessions_ = std::move(sessions);
    for (const auto& speaker : speakers_) {
        if (speaker->unicast) {
            speaker->unicast->filter(
                {speaker->strangers ? DatagramFilter::Use::Sessions : DatagramFilter::Use::All,
                 key_hints_, sessions_});
        }
    }
}

void Udp::set_key_hints(std::vector<std::uint16_t> hints) {
    key_hints_ = std::move(hints);
    for (const auto& speaker : speakers_) {
        filter(*speaker);
    }
}

void Udp::on_beacon(Speaker& speaker, BeaconWay way, const Endpoint& from) {
    if (from == speaker.endpoint()) {
        ++counters_.beacons_own;
        speaker.watch.on_own(way);
        return;
    }
    ++(way == BeaconWay::Multicast ? counters_.beacons_multicast : counters_.beacons_broadcast);
    // Those of another daemon on this host do not come over the network.
    if (ipv4_bytes(from) != speaker.interface.address) {
        speaker.watch.on_other(way);
    }
}

void Udp::open_unicast(Speaker& speaker) {
    const LocalInterface& interface = speaker.interface;
    int error = 0;
    for (std::uint32_t port = port_; port < std::uint32_t{port_} + kPortsTried && port <= 65535;
         ++port) {
        const auto bound = bind_unicast(interface, static_cast<std::uint16_t>(port));
        if (bound) {
            speaker.port = static_cast<std::uint16_t>(port);
            speaker.unicast = listen(speaker, bound->links, Ear::Links);
            if (bound->strangers >= 0) {
                speaker.strangers = listen(speaker, bound->strangers, Ear::Strangers);
            }
            speaker.guard = bound->guard;
            speaker.unicast_trouble.clear();
            filter(speaker);
            if (port != port_) {
                log_info("UDP " + print_address(interface.address, port_) + " on " +
                         interface.name + " is taken: using port " + std::to_string(port) +
                         " for links");
            }
            return;
        }
        error = bound.error();
        if (error != EADDRINUSE && error != EACCES) {
            break;
        }
    }
    std::string trouble = "UDP " + print_address(interface.address, port_) + " on " +
                          interface.name + ": " + std::strerror(error) +
                          (error == EADDRINUSE ? " (and so are the next 31 ports)" : "") +
                          "; no links by this interface, next try in 5 s; free the port or set "
                          "another by --set mesh.udp_port=PORT";
    if (trouble != speaker.unicast_trouble) {
        log_warning(trouble);
    }
    speaker.unicast_trouble = std::move(trouble);
}

void Udp::open_discovery(Speaker& speaker) {
    const LocalInterface& interface = speaker.interface;
    std::string trouble;
    bool is_changed = !speaker.has_watch;
    const auto open = [&](std::unique_ptr<UdpSocket>& socket, const Ipv4& address, Ear ear) {
        if (socket) {
            return;
        }
        if (const auto fd = bind_discovery(interface, address, port_)) {
            socket = listen(speaker, *fd, ear);
            socket->filter({DatagramFilter::Use::Beacons, {}, {}});
            is_changed = true;
            return;
        } else {
            trouble +=
                (trouble.empty() ? "" : ", ") + print_address(address, port_) + " (" +
                (fd.error() == EADDRINUSE ? "held by another program" : std::strerror(fd.error())) +
                ")";
        }
    };
    if (interface.broadcast) {
        open(speaker.broadcast, *interface.broadcast, Ear::Broadcast);
    }
    if (interface.has_multicast) {
        open(speaker.multicast, kGroup, Ear::Multicast);
    }
    if (!trouble.empty()) {
        trouble = "beacons are not heard on " + interface.name + " at UDP " + trouble +
                  "; bootstrap addresses still work, next try in 5 s; free the port or set "
                  "another by --set mesh.udp_port=PORT";
        if (trouble != speaker.discovery_trouble) {
            log_warning(trouble);
        }
    } else if (!speaker.discovery_trouble.empty()) {
        log_info("beacons are heard on " + interface.name + " again");
    }
    speaker.discovery_trouble = std::move(trouble);
    if (!is_changed) {
        return;
    }
    speaker.has_watch = true;
    // What is not listened to is not missed.
    speaker.watch = BeaconWatch(
        {speaker.multicast != nullptr, speaker.broadcast != nullptr, beacon_silence_max_});
}

bool Udp::update(TimePoint now, const std::vector<LocalInterface>& interfaces) {
    const std::vector<Endpoint> before = addresses();
    const auto is_gone = [&](const std::unique_ptr<Speaker>& speaker) {
        return std::find(interfaces.begin(), interfaces.end(), speaker->interface) ==
               interfaces.end();
    };
    std::erase_if(speakers_, is_gone);

    const bool is_retry = now - tried_at_ >= kRetryInterval;
    if (is_retry) {
        tried_at_ = now;
    }
    for (const LocalInterface& interface : interfaces) {
        const auto known = std::find_if(speakers_.begin(), speakers_.end(), [&](const auto& one) {
            return one->interface == interface;
        });
        const bool is_new = known == speakers_.end();
        if (is_new) {
            speakers_.push_back(std::make_unique<Speaker>());
            speakers_.back()->interface = interface;
        }
        Speaker& speaker = is_new ? *speakers_.back() : **known;
        if (!speaker.unicast && (is_new || is_retry)) {
            open_unicast(speaker);
        }
        if (is_new || (is_retry && !speaker.discovery_trouble.empty())) {
            open_discovery(speaker);
        }
        if (is_new) {
            speaker.joined_at = now;
        }
    }
    std::sort(speakers_.begin(), speakers_.end(),
              [](const auto& a, const auto& b) { return a->interface.index < b->interface.index; });
    return addresses() != before;
}

void Udp::watch_beacons(TimePoint now, const std::vector<Endpoint>& peers) {
    for (const auto& speaker : speakers_) {
        const LocalInterface& interface = speaker->interface;
        const Duration interval =
            speaker->watch.misses_multicast() ? kRejoinSooner : kRejoinInterval;
        if (speaker->multicast && now - speaker->joined_at >= interval) {
            speaker->joined_at = now;
            if (!speaker->multicast->rejoin(kGroup, interface.index)) {
                speaker->multicast.reset();
                open_discovery(*speaker);
            }
        }
        const bool has_peers = std::any_of(peers.begin(), peers.end(), [&](const Endpoint& peer) {
            const Ipv4 address = ipv4_bytes(peer);
            return is_in_subnet(interface, address) && address != interface.address;
        });
        speaker->watch.on_tick(now, has_peers);
        std::string trouble = speaker->watch.trouble();
        if (!trouble.empty()) {
            trouble = interface.name + ": " + trouble;
        }
        if (trouble == speaker->beacon_trouble) {
            continue;
        }
        if (!trouble.empty()) {
            log_warning(trouble);
        } else if (speaker->discovery_trouble.empty()) {
            log_info(interface.name + ": beacons pass again");
        }
        speaker->beacon_trouble = std::move(trouble);
    }
}

std::vector<Endpoint> Udp::addresses() const {
    std::vector<Endpoint> result;
    for (const auto& speaker : speakers_) {
        if (speaker->unicast) {
            result.push_back(speaker->endpoint());
        }
    }
    return result;
}

std::string Udp::describe() const {
    std::string text;
    for (const auto& speaker : speakers_) {
        if (speaker->unicast) {
            text += (text.empty() ? "" : ", ") + speaker->interface.name + " " +
                    print_endpoint(speaker->endpoint());
        }
    }
    return text.empty() ? "no interface" : text;
}

std::vector<std::string> Udp::troubles() const {
    std::vector<std::string> result;
    for (const auto& speaker : speakers_) {
        for (const std::string* trouble :
             {&speaker->unicast_trouble, &speaker->discovery_trouble, &speaker->beacon_trouble}) {
            if (!trouble->empty()) {
                result.push_back(*trouble);
            }
        }
    }
    return result;
}

std::vector<std::pair<std::string_view, std::uint64_t>> Udp::counters() const {
    UdpCounters now = counters_;
    std::uint64_t unsplit = 0;
    for (const auto& speaker : speakers_) {
        const auto add = [](std::uint64_t& sum, const std::unique_ptr<UdpSocket>& socket) {
            sum += socket ? socket->dropped() : 0;
        };
        add(now.links_dropped, speaker->unicast);
        add(now.strangers_dropped, speaker->strangers);
        add(now.beacons_dropped, speaker->broadcast);
        add(now.beacons_dropped, speaker->multicast);
        unsplit += speaker->unicast && !speaker->strangers ? 1 : 0;
    }
    return {{"udp_received_too_long", now.received_too_long},
            {"udp_received_elsewhere", now.received_elsewhere},
            {"udp_receive_errors", now.receive_errors},
            {"udp_sent_without_socket", now.sent_without_socket},
            {"udp_send_queue_full", now.send_queue_full},
            {"udp_send_errors", now.send_errors},
            {"udp_beacons_multicast", now.beacons_multicast},
            {"udp_beacons_broadcast", now.beacons_broadcast},
            {"udp_beacons_own", now.beacons_own},
            {"udp_links_dropped", now.links_dropped},
            {"udp_strangers_dropped", now.strangers_dropped},
            {"udp_beacons_dropped", now.beacons_dropped},
            {"udp_filters_refused", now.filters_refused},
            {"udp_unsplit", unsplit},
            {"udp_rests", now.rests}};
}

Udp::Speaker* Udp::speaker_for(const Endpoint& to) {
    const auto find = [&](auto&& fits) -> Speaker* {
        for (const auto& speaker : speakers_) {
            if (speaker->unicast && fits(*speaker)) {
                return speaker.get();
            }
        }
        return nullptr;
    };
    if (to.interface != 0) {
        return find([&](const Speaker& one) { return one.interface.index == to.interface; });
    }
    const Ipv4 address = ipv4_bytes(to);
    if (Speaker* near =
            find([&](const Speaker& one) { return is_in_subnet(one.interface, address); })) {
        return near;
    }
    const auto source = route_source(ipv4_address(address, to.port));
    if (Speaker* routed =
            find([&](const Speaker& one) { return source && one.interface.address == *source; })) {
        return routed;
    }
    return find([](const Speaker&) { return true; });
}

void Udp::queue(Transmit transmit) {
    Speaker* speaker =
        transmit.to.is_ipv4() || transmit.is_beacon ? speaker_for(transmit.to) : nullptr;
    if (speaker == nullptr) {
        ++counters_.sent_without_socket;
        return;
    }
    auto bytes = std::make_shared<const Buffer>(std::move(transmit.bytes));
    if (!transmit.is_beacon) {
        speaker->outgoing.push_back(
            {ipv4_address(ipv4_bytes(transmit.to), transmit.to.port), 0, std::move(bytes)});
        return;
    }
    const LocalInterface& interface = speaker->interface;
    speaker->watch.on_sent();
    if (interface.broadcast) {
        speaker->outgoing.push_back(
            {ipv4_address(*interface.broadcast, port_), interface.index, bytes});
    }
    if (interface.has_multicast) {
        speaker->outgoing.push_back({ipv4_address(kGroup, port_), interface.index, bytes});
    }
}

void Udp::flush() {
    for (const auto& speaker : speakers_) {
        if (!speaker->outgoing.empty()) {
            speaker->unicast->send(speaker->outgoing);
            speaker->outgoing.clear();
        }
    }
}

}  // namespace meshd
