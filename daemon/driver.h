// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <uv.h>

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/keyring_keeper.h"
#include "daemon/keys_access.h"
#include "daemon/mesh_access.h"
#include "daemon/network.h"
#include "daemon/scan_worker.h"
#include "daemon/storage.h"

namespace meshd {

/// Runs one Node in a libuv loop: hands it time and datagrams, sends what it wants sent, keeps one
/// timer at its next deadline, has its data kept, and passes its outputs on from the loop.
class Driver final : public MeshAccess, public KeysAccess {
  public:
    using OnOutput = std::function<void(const Output& output)>;

    struct Options {
        Config config;
        NodeOptions node;
        std::uint16_t udp_port = 9999;
        /// Names or patterns; empty: usable_interfaces()'s choice.
        std::vector<std::string> interfaces;
        /// Besides the addresses in `config.bootstrap`.
        std::vector<BootstrapHost> bootstrap_hosts;
        /// Shown in mesh.status as long as the process runs.
        std::vector<std::string> warnings;
        /// What keeps the data, and what it remembered.
        Storage::Opened kept;
        /// The mesh keys, and the file that has them.
        KeptKeys keys;
        std::filesystem::path keyring;
        std::string state_dir;  ///< where it does
    };

    /// Opens the sockets. `on_output` is called from the loop only, never inside a call of this
    /// class.
    Driver(uv_loop_t* loop, Options options, OnOutput on_output);
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;
    ~Driver() override;

    Now now() const override;
    const Node& node() const override { return node_; }
    tl::expected<RequestId, CommandError> command(Command command) override;
    std::vector<std::string> warnings() const override;
    std::vector<std::pair<std::string_view, std::uint64_t>> socket_counters() const override;

    HostFacts host_facts() const override {
        return meshd::host_facts(network_.addresses(), state_dir_);
    }
    void nearest(const NearestQuery& query,
                 std::function<void(tl::expected<NearestResult, CommandError>)> done) override;
    void backup(std::string path,
                std::function<void(tl::expected<BackupDone, std::string>)> done) override;

    /// Puts into force what may change while it runs: of `options`, interfaces, bootstrap, the
    /// security mode and what Node::handle_config takes.
    void reconfigure(Options options);

    std::string_view security_mode() const override { return security_mode_name(security_); }
    const KeptKeys& kept_keys() const override { return keys_.kept(); }
    std::vector<Holder> key_holders() const override;
    bool has_links() const override { return !node_.peers(now()).empty(); }
    MeshKey draw_key(std::uint32_t generation) override;
    MeshKey draw_first_key() override;
    bool is_changing_keys() const override { return keys_.is_busy(); }
    void change_keys(Keyring ring, KeyOrigin origin,
                     std::function<void(const std::string& trouble)> done) override;
    /// With whom to speak from now on.
    void set_security(SecurityMode mode);

    /// Says goodbye to the mesh, for a moment where `is_restarting`, or waits for the goodbye that
    /// mesh.leave has begun; `done` follows once the peers have it, or after a second, and all data
    /// are on the disk, or after three more.
    void leave(bool is_restarting, std::function<void()> done);

    /// Where it speaks: "eth0 10.7.0.1:9999".
    std::string addresses_text() const { return network_.describe(); }

  private:
    void on_datagram(const Endpoint& from, Bytes datagram);
    void on_turn_end();
    void drain();
    void tell_sessions();
    void on_persisted(PersistToken token, PersistResult result);
    void start_scan(const ScanWanted& wanted);
    void on_keyring_wanted(const KeyringWanted& wanted);
    void apply_security();
    void filter_hints();
    void arm_timer();
    void on_addresses();
    void on_bootstrap(std::vector<Endpoint> bootstrap);
    std::vector<Endpoint> peer_addresses() const;
    void log_drops();
    void deliver_outputs();
    void flush_storage();
    void run_when_written();
    void finish_leaving();

    OnOutput on_output_;
    std::vector<std::string> fixed_warnings_;
    std::string state_dir_;
    Network network_;
    std::unique_ptr<Storage> storage_;
    KeyringKeeper keys_;
    SecurityMode security_;
    std::string keys_trouble_;  ///< why what the mesh gave is not kept; else empty
    Node node_;
    ScanWorker scans_;
    bool is_writing_ = false;
    std::deque<std::function<void()>> when_written_;
    bool is_flushing_ = false;  ///< left the mesh; waits for the disk
    std::deque<Output> outputs_;
    /// Empty while leave() waits for the end of somebody else's Leave.
    std::optional<RequestId> leave_request_;
    std::function<void()> leave_done_;
    std::uint64_t drops_logged_ = 0;
    std::vector<SessionId> sessions_;  ///< as last told to the kernel

    // On the heap because libuv closes handles later than this object ends.
    uv_timer_t* deadline_timer_;
    uv_timer_t* log_timer_;
    uv_timer_t* leave_timer_;
    uv_idle_t* outputs_idle_;
};

}  // namespace meshd
