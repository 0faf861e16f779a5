// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/world.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "proto/base/assert.h"
#include "proto/base/hash.h"

namespace meshd::sim {

namespace {

enum Purpose : std::uint64_t { kWorld, kInstance, kStart };

Observer& silent_observer() {
    static Observer observer;
    return observer;
}

}  // namespace

std::optional<RequestId> request_of(const Output& output) {
    return std::visit(
        [](const auto& value) -> std::optional<RequestId> {
            if constexpr (requires { value.request; }) {
                return value.request;
            } else {
                return std::nullopt;
            }
        },
        output);
}

World::World(std::uint64_t seed, Network network, const Config& config)
    : seed_(seed),
      network_(std::move(network)),
      prng_(entropy(kWorld, 0)),
      observer_(&silent_observer()) {
    while (queue_.run_one(kBeginning)) {
    }
    boxes_.resize(network_.hosts());
    for (Host host = 0; host < boxes_.size(); ++host) {
        Box& box = boxes_[host];
        char name[32];
        std::snprintf(name, sizeof name, "n%02zu", host);
        box.options.node_id = *NodeId::parse(name);
        box.options.instance = InstanceId{load_big_endian<8>(entropy(kInstance, host).data())};
        box.options.version = "sim";
        box.config = config;
        box.monotonic_offset = prng_.between(Duration::zero(), std::chrono::hours(1));
    }
}

Entropy World::entropy(std::uint64_t purpose, std::uint64_t number) const {
    Entropy entropy{};
    std::uint8_t input[24];
    store_big_endian<8>(input, seed_);
    store_big_endian<8>(input + 8, purpose);
    store_big_endian<8>(input + 16, number);
    const Hash128 first = hash128(Bytes(input));
    const Hash128 second = hash128(Bytes(first));
    std::copy(first.begin(), first.end(), entropy.begin());
    std::copy(second.begin(), second.end(), entropy.begin() + first.size());
    return entropy;
}

void World::clone(Host host, Host original, bool with_instance) {
    boxes_[host].options.node_id = boxes_[original].options.node_id;
    if (with_instance) {
        boxes_[host].options.instance = boxes_[original].options.instance;
    }
}

void World::wipe(Host host) {
    boxes_[host].options.instance = InstanceId{prng_.next() | 1};
    set_disk_image(host, {});
}

void World::set_disk_image(Host host, DiskImage image) {
    MESHD_ASSERT(!boxes_[host].node);
    boxes_[host].disk.image = std::move(image);
    observer_->on_disk_changed(host, boxes_[host].disk.image);
}

void World::poke(Host host) {
    boxes_[host].node->handle_timeout(now(host));
    pump(host);
}

Now World::now(Host host) const {
    const Box& box = boxes_[host];
    return {queue_.now() + box.monotonic_offset,
            {kWallBeginningMs + to_ms(elapsed()) + box.wall_offset_ms}};
}

void World::start(Host host) {
    Box& box = boxes_[host];
    MESHD_ASSERT(!box.node);
    ++box.starts;
    box.started_at = queue_.now();
    box.awake_since = queue_.now();
    box.options.entropy = entropy(kStart + host, box.starts);
    box.node = std::make_unique<Node>(box.config, box.options, now(host),
                                      box.has_disk ? box.disk.image.open() : Restored{});
    observer_->on_start(host);
    box.node->handle_addresses(now(host), network_.addresses(host));
    pump(host);
}

void World::crash(Host host) {
    Box& box = boxes_[host];
    // A commit under way is on disk as a whole or not at all.
    if (box.writing && prng_.below(2) == 0) {
        commit(host, *box.writing);
    }
    end_process(host);
}

void World::write(Host host, Persist persist) {
    Box& box = boxes_[host];
    observer_->on_persist(host, persist);
    box.writing = std::move(persist);
    const bool is_slow = box.disk.fault == DiskFault::Slow;
    after(prng_.between(std::chrono::milliseconds(1), kCommitMax) * (is_slow ? 100 : 1),
          [this, host, start = box.starts] { finish_write(host, start); });
}

void World::finish_write(Host host, unsigned start) {
    Box& box = boxes_[host];
    if (!box.node || box.starts != start || !box.writing) {
        return;
    }
    if (box.is_paused) {
        after(kCommitMax, [this, host, start] { finish_write(host, start); });
        return;
    }
    const Persist persist = *std::exchange(box.writing, std::nullopt);
    box.node->handle_persisted(now(host), persist.token, commit(host, persist));
    pump(host);
}

PersistResult World::commit(Host host, const Persist& persist) {
    Disk& disk = boxes_[host].disk;
    if (disk.fault == DiskFault::Failing) {
        return PersistResult::Failed;
    }
    if (disk.fault == DiskFault::Lost) {
        disk.fault = DiskFault::None;
        // The new database goes on with the number of the run.
        disk.image = {{}, {}, {}, disk.image.run};
        observer_->on_disk_changed(host, disk.image);
        return PersistResult::Lost;
    }
    disk.image.apply(persist);
    ++disk.commits;
    disk.rows += persist.records.size() + persist.streams.size();
    observer_->on_stored(host, persist);
    return PersistResult::Stored;
}

void World::flush(Host host) {
    Box& box = boxes_[host];
    constexpr int kCommitsMax = 100;
    for (int i = 0; i < kCommitsMax; ++i) {
        if (!box.writing) {
            box.writing = box.node->poll_persist();
            if (!box.writing) {
                return;
            }
            observer_->on_persist(host, *box.writing);
        }
        const Persist persist = *std::exchange(box.writing, std::nullopt);
        box.node->handle_persisted(now(host), persist.token, commit(host, persist));
    }
}

void World::end_process(Host host) {
    Box& box = boxes_[host];
    if (box.node) {
        observer_->on_stop(host);
    }
    box.node.reset();
    box.writing.reset();
    box.is_paused = false;
    box.is_stopping = false;
    box.queued.clear();
    box.armed.reset();
    ++box.timer_number;
    box.timeouts_without_progress = 0;
}

void World::stop(Host host, bool restarting) {
    boxes_[host].is_stopping = true;
    if (!command(host, Leave{restarting})) {
        flush(host);
        end_process(host);
    }
}

void World::pause(Host host) {
    boxes_[host].is_paused = boxes_[host].node != nullptr;
}

void World::resume(Host host) {
    Box& box = boxes_[host];
    if (!box.is_paused) {
        return;
    }
    box.is_paused = false;
    box.awake_since = queue_.now();
    box.node->handle_timeout(now(host));
    pump(host);
    tell_addresses(host);
    for (const Delivery& delivery : std::exchange(box.queued, {})) {
        hand_in(host, delivery);
    }
}

void World::set_carrier(Host host, std::size_t interface, bool has_carrier) {
    network_.set_carrier(host, interface, has_carrier);
    tell_addresses_soon(host);
}

void World::readdress(Host host, std::size_t interface, Segment segment) {
    network_.readdress(host, interface, segment);
    tell_addresses_soon(host);
}

void World::tell_addresses_soon(Host host) {
    after(prng_.between(Duration::zero(), kAddressNewsMax), [this, host] { tell_addresses(host); });
}

void World::tell_addresses(Host host) {
    if (is_running(host) && !is_paused(host)) {
        boxes_[host].node->handle_addresses(now(host), network_.addresses(host));
        pump(host);
    }
}

tl::expected<RequestId, CommandError> World::command(Host host, const Command& command) {
    auto request = boxes_[host].node->handle_command(now(host), command);
    if (request) {
        observer_->on_command(host, *request, command);
    }
    pump(host);
    return request;
}

tl::expected<RequestId, CommandError> World::raise(Host host, Priority priority, std::size_t bytes,
                                                   Duration wait, std::string dedupe_key,
                                                   std::uint64_t ttl_ms) {
    std::string document = "{\"sim\":" + std::to_string(++raised_);
    constexpr std::size_t kAround = sizeof ",\"pad\":\"\"}" - 1;
    if (bytes > document.size() + kAround) {
        document += ",\"pad\":\"" + std::string(bytes - document.size() - kAround, 'x') + "\"";
    }
    document += "}";
    return command(host, RaiseAlert{document, priority, wait, std::move(dedupe_key), ttl_ms});
}

void World::inject(Host host, const Endpoint& from, Bytes datagram) {
    if (boxes_[host].node) {
        hand_in(host, {host, host, from, {}, Buffer(datagram.begin(), datagram.end())});
    }
}

void World::after(Duration delay, EventQueue::Action action) {
    queue_.schedule(queue_.now() + delay, std::move(action));
}

void World::run_for(Duration duration) {
    const TimePoint limit = queue_.now() + duration;
    while (queue_.run_one(limit)) {
    }
}

std::optional<Duration> World::run_until(const std::function<bool()>& condition, Duration limit,
                                         Duration step) {
    const TimePoint begin = queue_.now();
    while (!condition()) {
        if (queue_.now() - begin >= limit) {
            return std::nullopt;
        }
        run_for(step);
    }
    return queue_.now() - begin;
}

void World::deliver(Delivery delivery) {
    Box& box = boxes_[delivery.target];
    if (!box.node || (tap_ && !tap_(delivery))) {
        return;
    }
    if (box.is_paused) {
        if (box.queued.size() < kQueuedMax) {
            box.queued.push_back(std::move(delivery));
        }
        return;
    }
    hand_in(delivery.target, delivery);
}

void World::hand_in(Host host, const Delivery& delivery) {
    Box& box = boxes_[host];
    if (!box.node) {
        return;
    }
    ++deliveries_;
    trace_.add(static_cast<std::uint64_t>(elapsed().count()));
    trace_.add(delivery.source << 32 | host);
    trace_.add(Bytes(delivery.bytes));
    box.node->handle_datagram(now(host), delivery.from, delivery.bytes);
    pump(host);
}

void World::pump(Host host) {
    Box& box = boxes_[host];
    while (const auto transmit = box.node->poll_transmit()) {
        observer_->on_transmit(host, *transmit);
        for (Delivery& delivery : network_.send(host, *transmit, queue_.now(), prng_)) {
            const TimePoint when = queue_.now() + delivery.after;
            queue_.schedule(when, [this, slot = put_under_way(std::move(delivery))] {
                free_slots_.push_back(slot);
                deliver(std::move(under_way_[slot]));
            });
        }
    }
    bool has_left = false;
    while (const auto output = box.node->poll_output()) {
        has_left = has_left || std::holds_alternative<HasLeft>(*output);
        remember_answer(host, *output);
        if (const auto* wanted = std::get_if<ScanWanted>(&*output)) {
            scan(host, *wanted);
        }
        if (const auto* wanted = std::get_if<KeyringWanted>(&*output)) {
            after(prng_.between(std::chrono::milliseconds(1), kCommitMax),
                  [this, host, start = box.starts, ring = wanted->ring] {
                      keep_ring(host, start, ring);
                  });
        }
        observer_->on_output(host, *output);
    }
    if (box.is_stopping && has_left) {
        flush(host);
        end_process(host);
        return;
    }
    while (auto persist = box.node->poll_persist()) {
        write(host, std::move(*persist));
    }
    arm(host);
}

void World::set_security(Host host, SecurityMode mode, Keyring ring) {
    Box& box = boxes_[host];
    box.config.security = mode;
    box.options.keyring = ring;
    if (box.node) {
        box.node->handle_security(now(host), mode, std::move(ring));
        pump(host);
    }
}

/// Not onto a full disk: the node asks again.
void World::keep_ring(Host host, unsigned start, Keyring ring) {
    const Box& box = boxes_[host];
    if (box.node && box.starts == start && !box.is_paused && box.disk.fault == DiskFault::None) {
        set_security(host, box.config.security, std::move(ring));
    }
}

void World::remember_answer(Host host, const Output& output) {
    if (const auto* answered = std::get_if<SearchAnswered>(&output)) {
        search_answers_[{host, boxes_[host].starts, answered->request}].push_back(*answered);
        return;
    }
    if (const auto* note = std::get_if<NoteEvent>(&output)) {
        boxes_[host].notes.push_back(*note);
    }
    if (const auto* question = std::get_if<SearchRequested>(&output)) {
        boxes_[host].questions.push_back(*question);
    }
    if (const auto request = request_of(output)) {
        answers_.insert_or_assign({host, boxes_[host].starts, *request}, output);
    }
}

/// The worker's part.
void World::scan(Host host, const ScanWanted& wanted) {
    const Duration takes = prng_.between(Duration::zero(), kScanMax);
    after(takes, [this, host, wanted, start = boxes_[host].starts] {
        if (!is_running(host) || boxes_[host].starts != start) {
            return;
        }
        if (is_paused(host)) {
            scan(host, wanted);
            return;
        }
        boxes_[host].node->handle_scan_done(now(host), wanted.ticket, wanted.search.run());
        pump(host);
    });
}

std::vector<SearchAnswered> World::search_answers(Host host, RequestId request) const {
    const auto found = search_answers_.find({host, boxes_[host].starts, request});
    return found == search_answers_.end() ? std::vector<SearchAnswered>() : found->second;
}

void World::arm(Host host) {
    Box& box = boxes_[host];
    const std::optional<TimePoint> next = box.node->next_timeout();
    if (!next) {
        return;
    }
    const TimePoint due = std::max(*next - box.monotonic_offset, queue_.now());
    // An earlier timer stays: it finds nothing due and arms the next.
    if (box.armed && *box.armed <= due + kTimerSlack) {
        return;
    }
    const TimePoint when = due + prng_.between(Duration::zero(), kTimerSlack);
    box.armed = when;
    queue_.schedule(when, [this, host = static_cast<std::uint32_t>(host),
                           number = ++box.timer_number] { on_timer(host, number); });
}

/// Where the delivery waits for its time: a closure of two words needs no memory of its own.
std::size_t World::put_under_way(Delivery delivery) {
    if (free_slots_.empty()) {
        under_way_.push_back(std::move(delivery));
        return under_way_.size() - 1;
    }
    const std::size_t slot = free_slots_.back();
    free_slots_.pop_back();
    under_way_[slot] = std::move(delivery);
    return slot;
}

void World::on_timer(Host host, std::uint32_t number) {
    Box& box = boxes_[host];
    if (!box.node || number != box.timer_number) {
        return;
    }
    box.armed.reset();
    if (box.is_paused) {
        return;
    }
    const std::optional<TimePoint> next = box.node->next_timeout();
    if (next && *next <= now(host).monotonic) {
        ++box.timeouts;
        box.node->handle_timeout(now(host));
        pump(host);
        const auto after = box.node ? box.node->next_timeout() : std::nullopt;
        if (after && *after <= now(host).monotonic) {
            if (++box.timeouts_without_progress == kTimeoutsWithoutProgressMax) {
                observer_->on_violation(id(host).text() + " asks for timeouts for ever");
            }
        } else {
            box.timeouts_without_progress = 0;
        }
        return;
    }
    arm(host);
}

}  // namespace meshd::sim
