// SPDX-License-Identifier: Apache-2.0
/// \file
/// Up to three nodes whose wire, disks, clocks and keys a script holds in its hands. It does for
/// each Node what the daemon does; what a daemon is promised is checked at every step.
#pragma once

#include <array>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proto/node.h"
#include "tests/sim/disk.h"

namespace meshd::fuzz {

class Boxes {
  public:
    static constexpr std::size_t kBoxes = 3;
    /// Datagrams under way; beyond it the oldest is lost.
    static constexpr std::size_t kWireMax = 64;

    explicit Boxes(bool is_sealed);

    Node& node(std::size_t box) { return *boxes_[box].node; }
    Now now(std::size_t box) const;
    std::size_t on_wire() const { return wire_.size(); }

    /// Starts anew from what its disk holds; `is_wiped`: with another disk, as another instance.
    /// `has_written`: of what was being written, it was.
    void restart(std::size_t box, bool is_wiped, bool has_written);
    void command(std::size_t box, Command command);
    void jump_wall_clock(std::size_t box, std::int64_t ms);
    /// How the disk of a box does from now on: 0 = well, 1 = not at all, 2 = at once, but loses all
    /// at the next commit.
    void set_disk(std::size_t box, std::size_t fault) { boxes_[box].fault = fault; }
    /// Whether writes wait for finish_write().
    void set_slow(std::size_t box, bool is_slow) { boxes_[box].is_slow = is_slow; }
    void finish_write(std::size_t box);
    void set_addresses(std::size_t box, bool has_second);
    void set_security(std::size_t box, SecurityMode mode, const Keyring& ring);

    /// A datagram under way arrives, is lost, arrives but stays, or arrives with a change.
    void deliver(std::size_t index);
    void lose(std::size_t index);
    void repeat(std::size_t index);
    void tamper(std::size_t index, std::size_t at, std::uint8_t with);
    void finish_scan();
    void answer_search(std::size_t box, std::string results);

    /// Time passes: everything arrives in order after a millisecond, or (`is_cut`) nothing does.
    void pass(Duration duration, bool is_cut);
    void look() const;

  private:
    struct Box {
        NodeOptions options;
        Config config;
        std::optional<Node> node;
        sim::DiskImage disk;
        std::optional<Persist> writing;
        std::size_t fault = 0;
        bool is_slow = false;
        std::int64_t wall_offset_ms = 0;
        std::uint8_t starts = 0;
        /// Answers owed; each comes once.
        std::set<RequestId> asked;
        /// Alerts told in this start as new, and those this node was told are durable.
        std::set<std::string> told;
        std::set<std::string> durable;
        std::vector<SearchTicket> questions;
    };
    struct Datagram {
        Endpoint from;
        std::size_t to = 0;
        TimePoint due;
        Buffer bytes;
    };
    struct Scan {
        std::size_t box = 0;
        std::uint8_t start = 0;
        ScanWanted wanted;
    };

    Endpoint address(std::size_t box) const;
    void start(std::size_t box);
    void pump(std::size_t box);
    void send(std::size_t box, const Transmit& transmit);
    void on_output(std::size_t box, Output output);
    PersistResult commit(Box& box, const Persist& persist);
    void hand_in(const Datagram& datagram);

    TimePoint time_;
    bool has_jumped_ = false;  ///< some wall clock
    std::array<Box, kBoxes> boxes_;
    std::vector<Datagram> wire_;
    std::vector<Scan> scans_;
};

}  // namespace meshd::fuzz
