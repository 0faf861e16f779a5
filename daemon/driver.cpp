// SPDX-License-Identifier: Apache-2.0
#include "daemon/driver.h"

#include <sys/random.h>
#include <time.h>

#include <algorithm>
#include <utility>

#include "daemon/log.h"
#include "daemon/security_words.h"
#include "proto/base/assert.h"

namespace meshd {
namespace {

constexpr std::uint64_t kLogIntervalMs = 2000;
/// Where not one of so many beacons of the peers comes, they are kept apart.
constexpr int kBeaconsMissed = 10;
/// The core waits at most 500 ms for its peers; the rest is for a busy machine.
constexpr std::uint64_t kLeaveTimeoutMs = 1000;
/// A slow card writes some megabytes in that time; what is missing comes back from the peers.
constexpr std::uint64_t kFlushTimeoutMs = 3000;

std::int64_t read_clock(clockid_t clock, std::int64_t per_second) {
    timespec at{};
    clock_gettime(clock, &at);
    return at.tv_sec * per_second + at.tv_nsec / (1'000'000'000 / per_second);
}

uv_timer_t* make_timer(uv_loop_t* loop, void* data) {
    auto* timer = new uv_timer_t{};
    uv_timer_init(loop, timer);
    timer->data = data;
    return timer;
}

template <class Handle>
void close_handle(Handle* handle) {
    uv_close(reinterpret_cast<uv_handle_t*>(handle),
             [](uv_handle_t* closed) { delete reinterpret_cast<Handle*>(closed); });
}

Entropy fresh_entropy() {
    Entropy entropy{};
    MESHD_ASSERT(getrandom(entropy.data(), entropy.size(), 0) ==
                 static_cast<ssize_t>(entropy.size()));
    return entropy;
}

void log_keys(const Keyring& before, const KeptKeys& after) {
    for (const MeshKey& key : after.ring.keys) {
        if (before.find(key_id(key)) == nullptr) {
            log_info("mesh key " + print_key_id(key_id(key)) + ", generation " +
                     std::to_string(rotation_of(key.generation)) + ": " +
                     std::string(key_origin_name(after.origins.at(key_id(key)))));
        }
    }
    for (const MeshKey& key : before.keys) {
        if (after.ring.find(key_id(key)) == nullptr) {
            log_info("mesh key " + print_key_id(key_id(key)) + ", generation " +
                     std::to_string(rotation_of(key.generation)) + ": removed");
        }
    }
    if (after.ring.active != before.active) {
        log_info("sealing with mesh key " + print_key_id(after.ring.active) + " from now on");
    }
}

void log_output(const Output& output) {
    if (const auto* event = std::get_if<NodeEvent>(&output)) {
        std::string line(node_event_name(event->kind));
        const LogFields fields{node_event_name(event->kind), event->node.text()};
        line += " " + event->node.text();
        if (!event->because.empty()) {
            line += " because of " + event->because.text();
        }
        if (event->kind == NodeEventKind::Conflict) {
            line += ": another node uses this name";
            line += event->address ? ", at " + print_endpoint(*event->address) : "";
            log_warning(line + "; give one of them another node_id", fields);
        } else {
            log_info(line, fields);
        }
    } else if (const auto* link = std::get_if<LinkEvent>(&output)) {
        const std::string kind = link->up ? "link.up" : "link.down";
        log_info(kind + " " + link->peer.text() + " at " + print_endpoint(link->address),
                 {kind, link->peer.text()});
    }
}

Network::Options network_options(const Driver::Options& options) {
    return {options.udp_port, options.interfaces, options.config.bootstrap, options.bootstrap_hosts,
            kBeaconsMissed * options.config.broadcast_interval_max};
}

}  // namespace

Driver::Driver(uv_loop_t* loop, Options options, OnOutput on_output)
    : on_output_(std::move(on_output)),
      fixed_warnings_(std::move(options.warnings)),
      state_dir_(std::move(options.state_dir)),
      network_(loop, network_options(options),
               {[this] { return now().monotonic; },
                [this](const Endpoint& from, Bytes datagram) { on_datagram(from, datagram); },
                [this] { on_turn_end(); }, [this] { on_addresses(); },
                [this](std::vector<Endpoint> bootstrap) { on_bootstrap(std::move(bootstrap)); },
                [this] { return peer_addresses(); }}),
      storage_(std::move(options.kept.storage)),
      keys_(loop, std::move(options.keyring), std::move(options.keys)),
      security_(options.config.security),
      node_(std::move(options.config), std::move(options.node), now(),
            std::move(options.kept.restored)),
      scans_(loop),
      deadline_timer_(make_timer(loop, this)),
      log_timer_(make_timer(loop, this)),
      leave_timer_(make_timer(loop, this)),
      outputs_idle_(new uv_idle_t{}) {
    storage_->set_on_persisted(
        [this](PersistToken token, PersistResult result) { on_persisted(token, result); });
    uv_idle_init(loop, outputs_idle_);
    outputs_idle_->data = this;
    uv_timer_start(
        log_timer_, [](uv_timer_t* timer) { static_cast<Driver*>(timer->data)->log_drops(); },
        kLogIntervalMs, kLogIntervalMs);
    network_.set_sessions({});
    filter_hints();
    network_.start();
    on_turn_end();
}

Driver::~Driver() {
    close_handle(deadline_timer_);
    close_handle(log_timer_);
    close_handle(leave_timer_);
    close_handle(outputs_idle_);
}

Now Driver::now() const {
    return {TimePoint(Duration(read_clock(CLOCK_MONOTONIC, 1'000'000))),
            WallTime{read_clock(CLOCK_REALTIME, 1000)}};
}

tl::expected<RequestId, CommandError> Driver::command(Command command) {
    auto result = node_.handle_command(now(), std::move(command));
    drain();
    on_turn_end();
    return result;
}

void Driver::reconfigure(Options options) {
    node_.handle_config(now(), options.config);
    network_.reconfigure(network_options(options));
    if (options.config.security != security_) {
        set_security(options.config.security);
    }
    drain();
    on_turn_end();
}

std::vector<std::string> Driver::warnings() const {
    std::vector<std::string> all = fixed_warnings_;
    for (std::string& trouble : network_.warnings()) {
        all.push_back(std::move(trouble));
    }
    for (std::string& warning : storage_->warnings()) {
        all.push_back(std::move(warning));
    }
    for (std::string& warning :
         security_warnings(without_members(node_.status(now()).security, node_.nodes(now())))) {
        all.push_back(std::move(warning));
    }
    if (!keys_trouble_.empty()) {
        all.push_back(keys_trouble_);
    }
    return all;
}

std::vector<std::pair<std::string_view, std::uint64_t>> Driver::socket_counters() const {
    auto all = network_.counters();
    const auto kept = storage_->counters();
    all.insert(all.end(), kept.begin(), kept.end());
    const auto scans = scans_.counters();
    all.insert(all.end(), scans.begin(), scans.end());
    return all;
}

void Driver::backup(std::string path,
                    std::function<void(tl::expected<BackupDone, std::string>)> done) {
    // The copy is of the disk: what is only in memory goes there first, if the disk takes it.
    when_written_.push_back([this, path = std::move(path), done = std::move(done)] {
        storage_->backup(path, [done](auto result) {
            result ? done(BackupDone{std::move(result->path), result->bytes, result->records})
                   : done(tl::unexpected(std::move(result.error())));
        });
    });
    node_.handle_flush(now());
    drain();
    on_turn_end();
    run_when_written();
}

void Driver::nearest(const NearestQuery& query,
                     std::function<void(tl::expected<NearestResult, CommandError>)> done) {
    auto search = node_.prepare_nearest(now(), query);
    if (!search) {
        done(tl::unexpected(std::move(search.error())));
        return;
    }
    const auto taken = scans_.run(ScanWorker::Asker::Local, std::move(*search),
                                  [done](NearestResult result) { done(std::move(result)); });
    if (!taken) {
        CommandError refused;
        refused.code = CommandError::Code::Overloaded;
        refused.message = "too many searches of the registry wait";
        refused.retry_after = taken.error();
        done(tl::unexpected(std::move(refused)));
    }
}

/// Where there is no room for it the node's answer waits for it in vain until its time is over, and
/// says that it is not whole.
void Driver::start_scan(const ScanWanted& wanted) {
    static_cast<void>(scans_.run(ScanWorker::Asker::Mesh, wanted.search,
                                 [this, ticket = wanted.ticket](const NearestResult& result) {
                                     node_.handle_scan_done(now(), ticket, result);
                                     drain();
                                     on_turn_end();
                                 }));
}

std::vector<KeysAccess::Holder> Driver::key_holders() const {
    std::vector<Holder> holders;
    for (const NodeView& node : node_.nodes(now())) {
        if (node.node_id != node_.id()) {
            holders.push_back({node.node_id, node.status, node.security.keys});
        }
    }
    return holders;
}

MeshKey Driver::draw_key(std::uint32_t generation) {
    Prng prng(fresh_entropy());
    return make_mesh_key(prng, generation);
}

MeshKey Driver::draw_first_key() {
    Prng prng(fresh_entropy());
    return make_first_key(prng);
}

void Driver::change_keys(Keyring ring, KeyOrigin origin,
                         std::function<void(const std::string& trouble)> done) {
    KeptKeys next = keys_.kept().with(std::move(ring), origin);
    keys_.store(std::move(next), [this, before = keys_.kept().ring,
                                  done = std::move(done)](const std::string& trouble) {
        if (!trouble.empty() && trouble != keys_trouble_) {
            log_error("the mesh keys stay as they were: " + trouble);
        }
        if (trouble.empty()) {
            keys_trouble_.clear();
            log_keys(before, keys_.kept());
            apply_security();
        }
        done(trouble);
    });
}

/// While another change is under way this one is let go: it was made without it, and the node asks
/// again where it is still of use.
void Driver::on_keyring_wanted(const KeyringWanted& wanted) {
    if (keys_.may_follow(wanted.before)) {
        change_keys(wanted.ring, KeyOrigin::Received, [this](const std::string& trouble) {
            // Whoever calls for a change is answered; of this one nobody would know.
            keys_trouble_ = trouble;
        });
    }
}

void Driver::set_security(SecurityMode mode) {
    security_ = mode;
    log_info(security_words(mode, keys_.kept().ring.active) + " from now on");
    apply_security();
}

void Driver::apply_security() {
    filter_hints();
    node_.handle_security(now(), security_, keys_.kept().ring);
    drain();
    on_turn_end();
}

/// Whoever has no key yet hears all, to be able to say whom it hears.
void Driver::filter_hints() {
    std::vector<std::uint16_t> hints;
    if (security_ != SecurityMode::Open) {
        for (const MeshKey& key : keys_.kept().ring.keys) {
            hints.push_back(key_hint(key_id(key)));
        }
    }
    if (security_ != SecurityMode::Sealed) {
        hints.push_back(0);
    }
    network_.set_key_hints(std::move(hints));
}

void Driver::run_when_written() {
    while (!is_writing_ && !when_written_.empty()) {
        auto next = std::move(when_written_.front());
        when_written_.pop_front();
        next();
    }
}

void Driver::on_datagram(const Endpoint& from, Bytes datagram) {
    node_.handle_datagram(now(), from, datagram);
    drain();
}

void Driver::on_turn_end() {
    network_.flush();
    arm_timer();
}

void Driver::drain() {
    bool has_transmits = false;
    while (auto transmit = node_.poll_transmit()) {
        network_.queue(std::move(*transmit));
        has_transmits = true;
    }
    if (has_transmits) {
        tell_sessions();
    }
    while (auto output = node_.poll_output()) {
        outputs_.push_back(std::move(*output));
    }
    if (auto changes = node_.poll_persist()) {
        is_writing_ = true;
        storage_->persist(std::move(*changes));
    }
    // An idle handle rather than a call: an output may be the answer to a command whose caller does
    // not know its id yet.
    if (!outputs_.empty() && uv_is_active(reinterpret_cast<uv_handle_t*>(outputs_idle_)) == 0) {
        uv_idle_start(outputs_idle_,
                      [](uv_idle_t* idle) { static_cast<Driver*>(idle->data)->deliver_outputs(); });
    }
}

/// Before what was queued is sent: answers may come in a session that it names.
void Driver::tell_sessions() {
    std::vector<SessionId> sessions = node_.sessions();
    if (sessions != sessions_) {
        sessions_ = std::move(sessions);
        network_.set_sessions(sessions_);
    }
}

void Driver::on_persisted(PersistToken token, PersistResult result) {
    is_writing_ = false;
    node_.handle_persisted(now(), token, result);
    // Before the next write: where callers wait without end, there is always one.
    if (node_.is_flushed()) {
        run_when_written();
    }
    drain();
    on_turn_end();
    if (is_flushing_ && !is_writing_) {
        finish_leaving();
    }
}

void Driver::arm_timer() {
    const auto deadline = node_.next_timeout();
    if (!deadline) {
        uv_timer_stop(deadline_timer_);
        return;
    }
    const Duration left = std::max(*deadline - now().monotonic, Duration::zero());
    // Rounded up: a timer that fires early finds nothing to do and would fire again.
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    uv_update_time(deadline_timer_->loop);
    uv_timer_start(
        deadline_timer_,
        [](uv_timer_t* timer) {
            auto* self = static_cast<Driver*>(timer->data);
            self->node_.handle_timeout(self->now());
            self->drain();
            self->on_turn_end();
        },
        static_cast<std::uint64_t>(ms), 0);
}

void Driver::on_addresses() {
    node_.handle_addresses(now(), network_.addresses());
    drain();
    on_turn_end();
}

void Driver::on_bootstrap(std::vector<Endpoint> bootstrap) {
    node_.handle_bootstrap(now(), std::move(bootstrap));
    drain();
    on_turn_end();
}

std::vector<Endpoint> Driver::peer_addresses() const {
    std::vector<Endpoint> addresses;
    for (const PeerView& peer : node_.peers(now())) {
        addresses.push_back(peer.address);
    }
    return addresses;
}

void Driver::log_drops() {
    if (!is_logged(LogLevel::Debug)) {
        return;
    }
    // One line per tick at most, however much a stranger sends.
    std::string line;
    std::uint64_t total = 0;
    const Counters& counters = node_.counters();
    for (std::size_t i = 0; i < Counters::size(); ++i) {
        if (Counters::name(i).starts_with("drop_") && counters.value(i) != 0) {
            total += counters.value(i);
            line += " " + std::string(Counters::name(i).substr(5)) + "=" +
                    std::to_string(counters.value(i));
        }
    }
    if (total != drops_logged_) {
        drops_logged_ = total;
        log_debug("dropped so far:" + line);
    }
}

void Driver::deliver_outputs() {
    uv_idle_stop(outputs_idle_);
    std::deque<Output> ready;
    ready.swap(outputs_);
    for (const Output& output : ready) {
        log_output(output);
        if (const auto* wanted = std::get_if<ScanWanted>(&output)) {
            start_scan(*wanted);
            continue;
        }
        if (const auto* wanted = std::get_if<KeyringWanted>(&output)) {
            on_keyring_wanted(*wanted);
            continue;
        }
        const auto* left = std::get_if<HasLeft>(&output);
        const bool is_own = left != nullptr && leave_done_ && left->request == leave_request_;
        if (!is_own) {
            on_output_(output);
        }
        if (is_own || (left != nullptr && !leave_request_)) {
            flush_storage();
        }
    }
}

void Driver::leave(bool is_restarting, std::function<void()> done) {
    leave_done_ = std::move(done);
    uv_timer_start(
        leave_timer_, [](uv_timer_t* timer) { static_cast<Driver*>(timer->data)->flush_storage(); },
        kLeaveTimeoutMs, 0);
    // Refused only while a Leave of mesh.leave is under way: its end is the one to wait for.
    if (const auto request = command(Leave{is_restarting})) {
        leave_request_ = *request;
    }
}

void Driver::flush_storage() {
    if (is_flushing_ || !leave_done_) {
        return;
    }
    is_flushing_ = true;
    uv_timer_start(
        leave_timer_,
        [](uv_timer_t* timer) {
            log_warning("the disk is too slow: it is waited for no longer");
            static_cast<Driver*>(timer->data)->finish_leaving();
        },
        kFlushTimeoutMs, 0);
    node_.handle_flush(now());
    drain();
    if (!is_writing_) {
        finish_leaving();
    }
}

void Driver::finish_leaving() {
    uv_timer_stop(leave_timer_);
    if (auto done = std::exchange(leave_done_, nullptr)) {
        if (const auto unwritten = node_.status(now()).store.unwritten; unwritten != 0) {
            log_warning("ending with " + std::to_string(unwritten) +
                        " records and streams that are not on the disk: only what other boxes hold "
                        "comes back");
        }
        done();
    }
}

}  // namespace meshd
