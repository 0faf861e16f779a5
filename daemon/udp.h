// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/beacon_watch.h"
#include "daemon/udp_socket.h"
#include "proto/base/endpoint.h"
#include "proto/base/time.h"
#include "proto/node.h"

namespace meshd {

/// The UDP sockets of the daemon: per usable interface one for all that is sent and for the
/// datagrams of sessions, one for unicast outside sessions, and two that only listen for beacons,
/// on the subnet's broadcast address and on a multicast group (some networks carry only one of
/// them; the core drops the second copy). The latter three hear strangers: each turn of the loop
/// reads sessions first, of the others 64 datagrams at most, and the kernel filters (udp_filter.h).
///
/// The unicast socket takes `port` or one of the next 31: beacons carry the real one, so that
/// several daemons run on one host. Beacons always go to `port`.
class Udp {
  public:
    using OnDatagram = std::function<void(const Endpoint& from, Bytes datagram)>;
    using OnTurnEnd = std::function<void()>;

    static constexpr Ipv4 kGroup = {239, 77, 7, 7};
    /// Ports tried one after another where one is taken.
    static constexpr std::uint16_t kPortsTried = 32;

    /// Beacons of the peers that stay away for `beacon_silence_max` are a trouble.
    Udp(uv_loop_t* loop, std::uint16_t port, Duration beacon_silence_max, OnDatagram on_datagram,
        OnTurnEnd on_turn_end);
    ~Udp();

    /// Opens and closes sockets until they match the interfaces; tries those again that failed
    /// before. True where addresses() changed.
    bool update(TimePoint now, const std::vector<LocalInterface>& interfaces);

    /// The address and port to speak from, per interface.
    std::vector<Endpoint> addresses() const;
    /// "eth0 10.7.0.1:9999", for the log.
    std::string describe() const;
    /// To be called every few seconds: judges which beacons pass, given the addresses of the peers,
    /// and joins the multicast group again each minute, or sooner where nothing comes. A switch
    /// that forwards multicast only to whoever asked (IGMP snooping) forgets who did where nobody
    /// queries; joining asks anew.
    void watch_beacons(TimePoint now, const std::vector<Endpoint>& peers);

    void set_beacon_silence(Duration max) { beacon_silence_max_ = max; }

    /// What keeps sockets from being opened or beacons from passing, some texts per interface.
    std::vector<std::string> troubles() const;
    std::vector<std::pair<std::string_view, std::uint64_t>> counters() const;

    /// From now on the kernel lets in only these sessions, and outside sessions by unicast only
    /// datagrams with one of these key hints (empty: any); foreign beacons are to be noticed. Takes
    /// effect at once.
    void set_sessions(std::vector<SessionId> sessions);
    void set_key_hints(std::vector<std::uint16_t> hints);

    /// Queues a datagram; flush() hands all queued to the kernel.
    void queue(Transmit transmit);
    void flush();

  private:
    struct Speaker;
    void open_unicast(Speaker& speaker);
    void open_discovery(Speaker& speaker);
    enum class Ear : std::uint8_t { Links, Strangers, Broadcast, Multicast };
    std::unique_ptr<UdpSocket> listen(Speaker& speaker, int fd, Ear ear);
    void read_links();
    void filter(Speaker& speaker);
    void on_beacon(Speaker& speaker, BeaconWay way, const Endpoint& from);
    Speaker* speaker_for(const Endpoint& to);

    uv_loop_t* loop_;
    std::uint16_t port_;
    Duration beacon_silence_max_;
    OnDatagram on_datagram_;
    OnTurnEnd on_turn_end_;
    UdpCounters counters_;
    std::unique_ptr<ReceiveRoom> room_;
    std::optional<std::vector<SessionId>> sessions_;
    std::vector<std::uint16_t> key_hints_;
    std::vector<std::unique_ptr<Speaker>> speakers_;  ///< by interface index
    TimePoint tried_at_{};
};

}  // namespace meshd
