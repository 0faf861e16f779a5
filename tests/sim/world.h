// SPDX-License-Identifier: Apache-2.0
/// \file
/// Many real nodes under virtual time: the simulator's driver. It does for each Node what the
/// daemon does (hands in datagrams and timeouts, drains what comes out, re-arms one timer), and
/// adds what happens to boxes: crash, restart, pause, graceful stop, clones, clocks that jump,
/// disks that are full, slow, lost, copied or set back.
///
/// Everything follows from the seed: the same seed and the same calls give the same trace_hash().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/prng.h"
#include "proto/node.h"
#include "tests/sim/disk.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/network.h"
#include "tests/sim/trace.h"

namespace meshd::sim {

/// Told of everything that happens; the checkers are one.
class Observer {
  public:
    Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;
    virtual ~Observer() = default;

    virtual void on_start(Host) {}
    virtual void on_stop(Host) {}
    virtual void on_transmit(Host, const Transmit&) {}
    virtual void on_output(Host, const Output&) {}
    /// A command that was accepted; before its outputs.
    virtual void on_command(Host, RequestId, const Command&) {}
    /// Handed to the disk.
    virtual void on_persist(Host, const Persist&) {}
    /// Written.
    virtual void on_stored(Host, const Persist&) {}
    /// The disk holds something else from now on: it was wiped, replaced, copied or set back.
    virtual void on_disk_changed(Host, const DiskImage&) {}
    virtual void on_violation(std::string /*what*/) {}
};

/// What all wall clocks show at the beginning: 2026-09-21, so that they are plausible ones.
constexpr std::int64_t kWallBeginningMs = 1'790'000'000'000;

class World {
  public:
    /// Datagrams that wait at a paused box: what the default socket buffer of Linux holds.
    static constexpr std::size_t kQueuedMax = 184;
    /// Timers run late by up to this, as the daemon's do (it rounds up to milliseconds).
    static constexpr Duration kTimerSlack = std::chrono::milliseconds(1);
    /// Timeouts in a row that each leave the node asking for another one at once.
    static constexpr unsigned kTimeoutsWithoutProgressMax = 1000;
    /// A commit takes 1 ms to this long; on a slow disk a hundred times as long.
    static constexpr Duration kCommitMax = std::chrono::milliseconds(20);
    /// A search of embeddings takes up to this on the worker.
    static constexpr Duration kScanMax = std::chrono::milliseconds(5);

    /// The driver tells a change of addresses after up to this long, as the daemon does, which
    /// waits until they rest.
    static constexpr Duration kAddressNewsMax = std::chrono::milliseconds(300);

    World(std::uint64_t seed, Network network, const Config& config = {});

    void observe(Observer* observer) { observer_ = observer; }
    Network& network() { return network_; }
    const Network& network() const { return network_; }
    Prng& prng() { return prng_; }
    std::size_t hosts() const { return boxes_.size(); }

    /// Taken at the next start.
    Config& config(Host host) { return boxes_[host].config; }
    const NodeId& id(Host host) const { return boxes_[host].options.node_id; }
    /// Gives `host` the name, and with `with_instance` the disk, of `original`: a cloned SD card,
    /// or a second box that was given a name in use. Before its start.
    void clone(Host host, Host original, bool with_instance);

    /// Before its next start, as the operator's answer to a conflict.
    void rename(Host host, const NodeId& name) { boxes_[host].options.node_id = name; }

    /// A new instance id at the next start and an empty disk, as after losing the state directory.
    void wipe(Host host);

    /// Without one nothing is kept over restarts. Taken at the next start.
    void set_has_disk(Host host, bool has_disk) { boxes_[host].has_disk = has_disk; }
    const Disk& disk(Host host) const { return boxes_[host].disk; }
    void set_disk_fault(Host host, DiskFault fault) { boxes_[host].disk.fault = fault; }
    /// Puts another content on the disk of a box that does not run: a clone's, or an old backup.
    void set_disk_image(Host host, DiskImage image);

    /// As the operator does it, on a box that runs too.
    void set_security(Host host, SecurityMode mode, Keyring ring);
    const Keyring& keyring(Host host) const { return boxes_[host].options.keyring; }

    void start(Host host);
    void crash(Host host);
    /// Says goodbye; the process ends when it has been answered.
    void stop(Host host, bool restarting = false);
    /// Stopped in its tracks: neither sends nor receives, no timers.
    void pause(Host host);
    /// Goes on with a late timer, then the datagrams that waited.
    void resume(Host host);
    void jump_wall_clock(Host host, std::int64_t ms) { boxes_[host].wall_offset_ms += ms; }

    /// Network::set_carrier and readdress, of which the node is told a moment later.
    void set_carrier(Host host, std::size_t interface, bool has_carrier);
    void readdress(Host host, std::size_t interface, Segment segment);
    /// Tells the node the addresses it has by now, where it runs.
    void tell_addresses(Host host);

    bool is_running(Host host) const { return boxes_[host].node != nullptr; }
    bool is_stopping(Host host) const { return boxes_[host].is_stopping; }
    bool is_paused(Host host) const { return boxes_[host].is_paused; }
    /// Starts so far; 1 after the first.
    unsigned starts(Host host) const { return boxes_[host].starts; }
    /// Since when the present process runs, on the simulator's clock.
    TimePoint started_at(Host host) const { return boxes_[host].started_at; }
    /// Since when it runs and has not stood still.
    TimePoint awake_since(Host host) const { return boxes_[host].awake_since; }
    const Node& node(Host host) const { return *boxes_[host].node; }
    Now now(Host host) const;
    /// Timer calls into the node so far.
    std::uint64_t timeouts(Host host) const { return boxes_[host].timeouts; }

    tl::expected<RequestId, CommandError> command(Host host, const Command& command);
    /// Raises an alert whose document is unique in this world; `bytes` is about its length.
    tl::expected<RequestId, CommandError> raise(Host host, Priority priority = Priority::Normal,
                                                std::size_t bytes = 0, Duration wait = {},
                                                std::string dedupe_key = {},
                                                std::uint64_t ttl_ms = 0);
    /// Text that is unique in this world: "w1", "w2", …
    std::string mark() { return "w" + std::to_string(++marks_); }
    /// The answer to a command, once it is there.
    template <class Answer>
    const Answer* answer(Host host, RequestId request) const {
        const auto found = answers_.find({host, boxes_[host].starts, request});
        return found == answers_.end() ? nullptr : std::get_if<Answer>(&found->second);
    }

    /// Of a Search in this start: the answers so far, in the order in which they came.
    std::vector<SearchAnswered> search_answers(Host host, RequestId request) const;
    /// Notes that came in at a box, over all its starts.
    const std::vector<NoteEvent>& notes(Host host) const { return boxes_[host].notes; }
    /// Questions put to the local responders of a box, over all its starts.
    const std::vector<SearchRequested>& questions(Host host) const {
        return boxes_[host].questions;
    }

    /// Calls handle_timeout now, due or not.
    void poke(Host host);
    /// Hands bytes to `host` as if they had come from `from`.
    void inject(Host host, const Endpoint& from, Bytes datagram);
    /// Sees each delivery just before it happens, may change it, and drops it by returning false.
    void set_tap(std::function<bool(Delivery&)> tap) { tap_ = std::move(tap); }

    /// Virtual time since the beginning.
    Duration elapsed() const { return queue_.now() - kBeginning; }
    TimePoint time() const { return queue_.now(); }
    void after(Duration delay, EventQueue::Action action);
    void run_for(Duration duration);
    /// Runs until `condition` holds, looking every `step`. The time it took, or nothing after
    /// `limit`.
    std::optional<Duration> run_until(const std::function<bool()>& condition, Duration limit,
                                      Duration step = std::chrono::milliseconds(10));

    /// Over time, source, target and bytes of every datagram that arrived.
    std::uint64_t trace_hash() const { return trace_.hash(); }
    std::uint64_t deliveries() const { return deliveries_; }

  private:
    /// Not zero, so that nobody mistakes "never" for the beginning.
    static constexpr TimePoint kBeginning{std::chrono::hours(1)};

    struct Box {
        NodeOptions options;
        Config config;
        std::unique_ptr<Node> node;
        bool has_disk = true;
        Disk disk;
        std::optional<Persist> writing;
        unsigned starts = 0;
        TimePoint started_at;
        TimePoint awake_since;
        Duration monotonic_offset{};  ///< each box has its own time since boot
        std::int64_t wall_offset_ms = 0;
        bool is_paused = false;
        bool is_stopping = false;
        std::vector<Delivery> queued;
        std::optional<TimePoint> armed;  ///< on the simulator's clock
        std::uint32_t timer_number = 0;  ///< only the timer armed last counts
        unsigned timeouts_without_progress = 0;
        std::uint64_t timeouts = 0;
        std::vector<NoteEvent> notes;
        std::vector<SearchRequested> questions;
    };

    Entropy entropy(std::uint64_t purpose, std::uint64_t number) const;
    /// Drains the node and arms its timer.
    void pump(Host host);
    void tell_addresses_soon(Host host);
    void end_process(Host host);
    void write(Host host, Persist persist);
    void finish_write(Host host, unsigned start);
    PersistResult commit(Host host, const Persist& persist);
    /// What the daemon writes before it ends in good order.
    void flush(Host host);
    void arm(Host host);
    void on_timer(Host host, std::uint32_t number);
    std::size_t put_under_way(Delivery delivery);
    void deliver(Delivery delivery);
    void hand_in(Host host, const Delivery& delivery);
    void keep_ring(Host host, unsigned start, Keyring ring);
    void remember_answer(Host host, const Output& output);
    void scan(Host host, const ScanWanted& wanted);

    std::uint64_t seed_;
    Network network_;
    Prng prng_;
    EventQueue queue_;
    std::vector<Delivery> under_way_;  ///< datagrams, in slots that are used again
    std::vector<std::size_t> free_slots_;
    std::vector<Box> boxes_;
    Observer* observer_;
    std::function<bool(Delivery&)> tap_;
    std::map<std::tuple<Host, unsigned, RequestId>, Output> answers_;
    std::map<std::tuple<Host, unsigned, RequestId>, std::vector<SearchAnswered>> search_answers_;
    std::uint64_t raised_ = 0;
    std::uint64_t marks_ = 0;
    Trace trace_;
    std::uint64_t deliveries_ = 0;
};

/// A command's answer is an output with its request id; events have none.
std::optional<RequestId> request_of(const Output& output);

}  // namespace meshd::sim
