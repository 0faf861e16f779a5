// SPDX-License-Identifier: Apache-2.0
#include "daemon/daemon.h"

#include <signal.h>
#include <sodium/core.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/call_audit.h"
#include "daemon/driver.h"
#include "daemon/ipc_server.h"
#include "daemon/live_config.h"
#include "daemon/log.h"
#include "daemon/names.h"
#include "daemon/rpc_service.h"
#include "daemon/security_words.h"
#include "daemon/service_manager.h"
#include "daemon/start_memory.h"
#include "daemon/state_dir.h"
#include "daemon/udp_socket.h"
#include "proto/base/assert.h"

namespace meshd {
namespace {

/// `timeout` and a terminal signal the process and its group: one wish to end it arrives twice.
constexpr std::uint64_t kSameSignalMs = 200;
/// For a reader's eyes.
constexpr std::uint64_t kStatusIntervalMs = 5000;
/// So that a busy machine may miss some.
constexpr std::int64_t kFeedsPerWatchdog = 6;
/// The deadline timer is due before a feeding of the same turn; more than that is not the machine.
constexpr Duration kCorePatience = std::chrono::seconds(1);

/// To read what was kept, hundreds of megabytes from a slow card. Whoever takes longer hangs.
constexpr std::chrono::seconds kLoadTimeMax{600};

template <class T>
T random_value() {
    T value{};
    const ssize_t size = getrandom(&value, sizeof value, 0);
    MESHD_ASSERT(size == static_cast<ssize_t>(sizeof value));
    return value;
}

/// What a datagram of 1 400 bytes takes in a socket buffer (skb->truesize).
constexpr std::size_t kDatagramTruesize = 2304;

/// Connections at most, and what else is open: sockets, database, log.
constexpr rlim_t kDescriptors = IpcServer::kClientsMax + 256;

/// A shell's limit of 1 024 is less than the connections of the local API.
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < kDescriptors) {
        limit.rlim_cur = std::min(limit.rlim_max, kDescriptors);
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/// What of the settings the driver runs with.
Driver::Options driver_options(const Settings& settings) {
    Driver::Options options;
    options.config = settings.core;
    // Half of what the buffer holds: the rest is for alerts and heartbeats.
    options.config.receive_window =
        std::max(options.config.receive_window, receive_buffer_bytes() / kDatagramTruesize / 2);
    options.udp_port = settings.udp_port;
    options.interfaces = settings.interfaces;
    options.bootstrap_hosts = settings.bootstrap_hosts;
    return options;
}

/// A core dump would hold the mesh keys. Whoever needs one raises the limit again (prlimit).
void forbid_core_dumps() {
    rlimit limit{};
    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        limit.rlim_cur = 0;
        setrlimit(RLIMIT_CORE, &limit);
    }
}

/// Everything that runs, in the order in which it is taken down again.
class Daemon {
  public:
    Daemon(const ConfigSources& sources, const Settings& settings)
        : config_(sources, settings,
                  {[this](const auto& in_force, const auto& changed) { apply(in_force, changed); },
                   [this](bool is_reloading) { manager_.tell_reload(is_reloading); }}) {
        MESHD_ASSERT(uv_loop_init(&loop_) == 0);
        uv_timer_init(&loop_, &service_timer_);
        service_timer_.data = this;
        for (uv_timer_t* timer : {&status_timer_, &watchdog_timer_}) {
            uv_timer_init(&loop_, timer);
            timer->data = this;
        }
    }
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;
    ~Daemon() {
        server_.reset();
        service_.reset();
        driver_.reset();
        for (uv_timer_t* timer : {&service_timer_, &status_timer_, &watchdog_timer_}) {
            uv_close(reinterpret_cast<uv_handle_t*>(timer), nullptr);
        }
        for (uv_signal_t& signal : signals_) {
            uv_close(reinterpret_cast<uv_handle_t*>(&signal), nullptr);
        }
        uv_run(&loop_, UV_RUN_DEFAULT);
        uv_loop_close(&loop_);
    }

    /// Empty, or what keeps it from starting.
    std::string start();
    void run() { uv_run(&loop_, UV_RUN_DEFAULT); }

  private:
    std::string open_node(const Settings& settings);
    std::string open_server(const Settings& settings);
    void on_signal(int number);
    void on_hangup();
    void apply(const Settings& in_force, const std::vector<std::string>& changed);
    void wake_service_at(TimePoint at);
    void tell_manager_it_is_ready();
    void feed_watchdog();
    void audit(RpcService::ClientId client, const ipc::Method& method, bool is_permitted);

    uv_loop_t loop_{};
    uv_signal_t signals_[4]{};
    ServiceManager manager_;
    LiveConfig config_;
    std::optional<StateDir> state_dir_;
    std::unique_ptr<Driver> driver_;
    CallAudit audit_;
    std::unique_ptr<RpcService> service_;
    uv_timer_t service_timer_{};
    uv_timer_t status_timer_{};
    uv_timer_t watchdog_timer_{};
    std::unique_ptr<IpcServer> server_;
    const bool has_terminal_ = isatty(STDERR_FILENO) == 1;
    /// Loop time; empty until the first signal.
    std::optional<std::uint64_t> leaving_since_ms_;
};

std::string Daemon::open_node(const Settings& settings) {
    InstanceId fresh;
    while (!fresh) {
        fresh = InstanceId{random_value<std::uint64_t>()};
    }
    const auto identity = load_installation(*state_dir_, find_hardware(), fresh);
    if (!identity) {
        return identity.error();
    }
    if (settings.node_id.empty() && identity->name_id.empty()) {
        return "no hardware id to make a node id from: no serial number in the device tree and no "
               "network interface with a MAC address; name the node with --node-id NAME";
    }
    const auto node_id =
        NodeId::parse(settings.node_id.empty() ? default_node_id(host_name(), identity->name_id)
                                               : settings.node_id);
    MESHD_ASSERT(node_id);
    set_log_node(node_id->text());

    Driver::Options options = driver_options(settings);
    if (!identity->notice.empty()) {
        log_warning(identity->notice);
        options.warnings.push_back(identity->notice);
    }
    options.keyring = state_dir_->path() / "keyring";
    auto keys = load_keyring(options.keyring);
    if (!keys) {
        return keys.error();
    }
    options.node.keyring = keys->ring;
    options.keys = std::move(*keys);
    options.state_dir = state_dir_->path();
    manager_.ask_for_start_time(kLoadTimeMax);
    options.kept = Storage::open(&loop_, state_dir_->path());
    if (const Restored& restored = options.kept.restored; !restored.records.empty()) {
        log_info("kept from before: " + std::to_string(restored.records.size()) + " records");
    }
    options.node.node_id = *node_id;
    options.node.instance = identity->instance;
    options.node.entropy = random_value<Entropy>();
    options.node.version = MESHD_VERSION;
    driver_ = std::make_unique<Driver>(
        &loop_, std::move(options), [this](const Output& output) { service_->on_output(output); });
    service_ = std::make_unique<RpcService>(
        *driver_, RpcService::Callbacks{
                      [this](RpcService::ClientId client, const std::string& line, bool is_event) {
                          return server_->send(client, line, is_event);
                      },
                      [this](RpcService::ClientId client) { return server_->is_admin(client); },
                      [this](RpcService::ClientId client) {
                          return server_->caller(client).value_or(IpcServer::Caller{}).uid;
                      },
                      [this](RpcService::ClientId client, const ipc::Method& method,
                             bool is_permitted) { audit(client, method, is_permitted); },
                      [this] { return server_->counters(); },
                      [this](TimePoint at) { wake_service_at(at); }, &config_, driver_.get()});
    return {};
}

std::string Daemon::open_server(const Settings& settings) {
    const auto path = choose_socket_path(settings.socket_path);
    if (!path) {
        return path.error();
    }
    IpcServer::Callbacks callbacks;
    callbacks.on_line = [this](auto client, auto line) { service_->on_line(client, line); };
    callbacks.on_line_too_long = [this](auto client) { service_->on_line_too_long(client); };
    callbacks.on_client_gone = [this](auto client) { service_->on_client_gone(client); };
    callbacks.on_client_writable = [this](auto client) { service_->on_client_writable(client); };
    callbacks.is_waiting = [this](auto client) { return service_->is_waiting(client); };
    auto server = IpcServer::open(&loop_, *path, std::move(callbacks));
    if (!server) {
        return server.error();
    }
    server_ = std::move(*server);
    return {};
}

std::string Daemon::start() {
    const Settings& settings = config_.in_force();
    // Chooses the fastest code for this processor; without it the hashes are the portable ones.
    MESHD_ASSERT(sodium_init() >= 0);
    constexpr int kSignals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    for (std::size_t i = 0; i < std::size(kSignals); ++i) {
        uv_signal_init(&loop_, &signals_[i]);
        signals_[i].data = this;
        uv_signal_start(
            &signals_[i],
            [](uv_signal_t* handle, int number) {
                auto* self = static_cast<Daemon*>(handle->data);
                number == SIGHUP ? self->on_hangup() : self->on_signal(number);
            },
            kSignals[i]);
    }
    const auto path = choose_state_dir(settings.state_dir);
    if (!path) {
        return path.error();
    }
    auto state_dir = StateDir::open(*path);
    if (!state_dir) {
        return state_dir.error();
    }
    state_dir_.emplace(std::move(*state_dir));
    // The socket first: a daemon that cannot serve must not show up in the mesh for a moment. Its
    // callbacks run from the loop, when all is there.
    std::string trouble = open_server(settings);
    if (trouble.empty()) {
        trouble = open_node(settings);
    }
    if (trouble.empty()) {
        log_info("ready: node " + driver_->node().id().text() + ", mesh " +
                 settings.core.mesh_name + " (" +
                 security_words(settings.core.security, driver_->kept_keys().ring.active) + "), " +
                 driver_->addresses_text() + ", socket " + server_->path() + " (" +
                 server_->access_text() + ")");
        tell_manager_it_is_ready();
    }
    return trouble;
}

void Daemon::tell_manager_it_is_ready() {
    const std::string status = service_status(driver_->node().status(driver_->now()));
    if (driver_->node().status(driver_->now()).security.is_silent) {
        log_warning(status);
    }
    if (!manager_.is_listening()) {
        return;
    }
    manager_.tell_ready(status);
    uv_timer_start(
        &status_timer_,
        [](uv_timer_t* timer) {
            auto* self = static_cast<Daemon*>(timer->data);
            if (!self->leaving_since_ms_) {
                self->manager_.show_status(
                    service_status(self->driver_->node().status(self->driver_->now())));
            }
        },
        kStatusIntervalMs, kStatusIntervalMs);
    if (const auto watchdog = manager_.watchdog()) {
        const auto interval = static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(*watchdog).count() /
            kFeedsPerWatchdog);
        uv_timer_start(
            &watchdog_timer_,
            [](uv_timer_t* timer) { static_cast<Daemon*>(timer->data)->feed_watchdog(); }, interval,
            interval);
    }
}

/// From the loop, and only where the core is called when it asked to be: a loop that turns without
/// it is as dead as one that does not turn.
void Daemon::feed_watchdog() {
    if (!is_core_stuck(driver_->now().monotonic, driver_->node().next_timeout(), kCorePatience)) {
        manager_.feed_watchdog();
    }
}

void Daemon::wake_service_at(TimePoint at) {
    const Duration left = std::max(at - driver_->now().monotonic, Duration::zero());
    uv_update_time(&loop_);
    uv_timer_start(
        &service_timer_,
        [](uv_timer_t* timer) { static_cast<Daemon*>(timer->data)->service_->on_timeout(); },
        static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(left).count()), 0);
}

void Daemon::audit(RpcService::ClientId client, const ipc::Method& method, bool is_permitted) {
    const auto caller = server_->caller(client);
    if (!caller) {
        return;
    }
    if (const auto line =
            audit_.note(uv_now(&loop_), {caller->uid, caller->pid}, method, is_permitted)) {
        is_permitted ? log_info(*line) : log_warning(*line);
    }
}

void Daemon::apply(const Settings& in_force, const std::vector<std::string>& changed) {
    set_log_level(in_force.log_level);
    const bool is_log_only = changed.size() == 1 && changed.front() == "log.level";
    if (!changed.empty() && !is_log_only) {
        driver_->reconfigure(driver_options(in_force));
    }
}

void Daemon::on_hangup() {
    if (leaving_since_ms_) {
        return;
    }
    // Run by hand, in a terminal that is gone: nobody would know of it any more.
    if (has_terminal_ && isatty(STDERR_FILENO) == 0) {
        on_signal(SIGHUP);
        return;
    }
    log_info("SIGHUP: reading the configuration again");
    // It says on the log what came of it.
    static_cast<void>(config_.reload());
}

void Daemon::on_signal(int number) {
    const std::uint64_t now = uv_now(&loop_);
    if (leaving_since_ms_) {
        if (now - *leaving_since_ms_ < kSameSignalMs) {
            return;
        }
        log_warning("second signal: ending at once");
        uv_stop(&loop_);
        return;
    }
    leaving_since_ms_ = now;
    // What RestartKillSignal= of the unit says: nobody is to be alarmed by an upgrade.
    const bool is_restarting = number == SIGUSR1;
    const std::string doing = is_restarting ? "leaving the mesh for a restart" : "leaving the mesh";
    log_info(std::string(strsignal(number)) + ": " + doing);
    manager_.tell_stopping(doing);
    driver_->leave(is_restarting, [this] { uv_stop(&loop_); });
}

}  // namespace

ExitCode run_daemon(const ConfigSources& sources, const Settings& settings) {
    // A client that hung up is an error of write(), not a reason to die.
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    forbid_core_dumps();
    Daemon daemon(sources, settings);
    if (const std::string trouble = daemon.start(); !trouble.empty()) {
        log_error(trouble);
        return ExitCode::Failure;
    }
    release_start_memory();
    daemon.run();
    log_info("stopped");
    return ExitCode::Ok;
}

}  // namespace meshd
