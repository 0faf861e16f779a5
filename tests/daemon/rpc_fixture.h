// SPDX-License-Identifier: Apache-2.0
/// \file
/// The local API with a real node that has no network, and clients that are lists of lines.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/rpc_service.h"
#include "ipc/framing.h"
#include "ipc/method_table.h"
#include "proto/base/json.h"

namespace meshd::rpc_test {

using namespace std::chrono_literals;

constexpr RpcService::ClientId kClient = 1;

inline NodeOptions options() {
    NodeOptions result;
    result.node_id = *NodeId::parse("box-1");
    result.instance = InstanceId{1};
    result.version = "0.1.0";
    return result;
}

/// A real node without a network. Commands go to it, or are only recorded and accepted or refused
/// as told.
class StandInMesh : public MeshAccess {
  public:
    Now now() const override { return now_; }
    const Node& node() const override { return node_; }
    tl::expected<RequestId, CommandError> command(Command command) override {
        if (is_recording) {
            commands.push_back(std::move(command));
            if (refusal) {
                return tl::unexpected(*refusal);
            }
            return RequestId{++last_request};
        }
        return node_.handle_command(now_, std::move(command));
    }
    std::vector<Output> drain() {
        while (node_.poll_transmit()) {
        }
        std::vector<Output> outputs;
        while (auto output = node_.poll_output()) {
            outputs.push_back(std::move(*output));
        }
        return outputs;
    }
    void advance(Duration by) {
        now_.monotonic += by;
        now_.wall.ms += to_ms(by);
        node_.handle_timeout(now_);
    }

    void nearest(const NearestQuery& query,
                 std::function<void(tl::expected<NearestResult, CommandError>)> done) override {
        if (refusal) {
            done(tl::unexpected(*refusal));
            return;
        }
        const auto search = node_.prepare_nearest(now_, query);
        if (!search) {
            done(tl::unexpected(search.error()));
        } else if (is_scanning_beside) {
            scans.push_back([search = *search, done] { done(search.run()); });
        } else {
            done(search->run());
        }
    }
    void backup(std::string path,
                std::function<void(tl::expected<BackupDone, std::string>)> done) override {
        backup_paths.push_back(std::move(path));
        if (backup_result) {
            done(*backup_result);
        } else {
            backups.push_back(std::move(done));
        }
    }

    std::vector<std::string> warnings() const override { return troubles; }

    std::vector<std::string> troubles;
    std::vector<std::string> backup_paths;
    /// The answer at once; where absent, backups wait.
    std::optional<tl::expected<BackupDone, std::string>> backup_result;
    std::vector<std::function<void(tl::expected<BackupDone, std::string>)>> backups;
    /// Searches of the registry wait until a test calls them.
    bool is_scanning_beside = false;
    std::vector<std::function<void()>> scans;
    bool is_recording = false;
    std::optional<CommandError> refusal;
    std::vector<Command> commands;
    std::uint64_t last_request = 100;

  private:
    Now now_{TimePoint(1s), WallTime{1'718'000'000'000}};
    Node node_{Config{}, options(), now_};
};

/// Two keys, and a reload that comes to what a test says.
class StandInConfig : public ConfigAccess {
  public:
    std::vector<ConfigKeyView> keys() const override {
        return {{"mesh.max_peers", "6", "10", ConfigOrigin::File, "/m.yaml:2:14", true, ""},
                {"log.level", R"("info")", R"("info")", ConfigOrigin::Default, "", true, ""}};
    }
    std::vector<std::string> files() const override { return {"/m.yaml"}; }
    tl::expected<ConfigReload, std::vector<std::string>> reload() override {
        ++reloads;
        return reload_result;
    }
    std::vector<std::string> warnings() const override { return troubles; }
    LogLevel log_level() const override { return level; }
    void set_log_level(LogLevel to) override { level = to; }

    std::vector<std::string> troubles;
    int reloads = 0;
    tl::expected<ConfigReload, std::vector<std::string>> reload_result;
    LogLevel level = LogLevel::Info;
};

/// Keys in memory, and other nodes as a test says.
class StandInKeys : public KeysAccess {
  public:
    std::string_view security_mode() const override { return mode; }
    const KeptKeys& kept_keys() const override { return kept; }
    std::vector<Holder> key_holders() const override { return holders; }
    bool has_links() const override { return is_linked; }
    MeshKey draw_key(std::uint32_t generation) override { return make_mesh_key(prng_, generation); }
    MeshKey draw_first_key() override { return make_first_key(prng_); }
    bool is_changing_keys() const override { return waiting != nullptr; }
    void change_keys(Keyring ring, KeyOrigin origin,
                     std::function<void(const std::string&)> done) override {
        const KeptKeys next = kept.with(std::move(ring), origin);
        waiting = [this, next, done](const std::string& result) {
            kept = result.empty() ? next : kept;
            done(result);
        };
        if (is_quick) {
            finish(trouble);
        }
    }
    void finish(const std::string& result) {
        if (auto change = std::exchange(waiting, nullptr)) {
            change(result);
        }
    }
    Holder& add_holder(const char* name, NodeStatus status = NodeStatus::Alive) {
        holders.push_back({*NodeId::parse(name), status, {}});
        return holders.back();
    }

    std::string mode = "sealed";
    KeptKeys kept;
    std::vector<Holder> holders;
    bool is_linked = false;
    bool is_quick = true;  ///< else a change waits for finish()
    std::string trouble;
    std::function<void(const std::string&)> waiting;

  private:
    Prng prng_{Entropy{9}};
};

struct Fixture {
    StandInMesh mesh;
    StandInConfig config;
    StandInKeys keys;
    std::map<RpcService::ClientId, std::vector<std::string>> sent;
    bool is_admin = true;
    std::uint32_t user = 1000;
    std::vector<std::string> writes;  ///< as reported for the log
    std::optional<TimePoint> wake_at;
    RpcService service{
        mesh,
        {[this](RpcService::ClientId client, std::string line, bool) {
             REQUIRE(line.back() == '\n');
             line.pop_back();
             sent[client].push_back(std::move(line));
             return true;
         },
         [this](RpcService::ClientId) { return is_admin; },
         [this](RpcService::ClientId) { return user; },
         [this](RpcService::ClientId, const ipc::Method& method, bool permitted) {
             writes.push_back(std::string(method.name) + (permitted ? "" : " refused"));
         },
         {},
         [this](TimePoint at) { wake_at = at; },
         &config,
         &keys}};

    std::vector<std::string> take(RpcService::ClientId client = kClient) {
        return std::exchange(sent[client], {});
    }
    void deliver() {
        for (const Output& output : mesh.drain()) {
            service.on_output(output);
        }
    }
    /// A call with id 1, its answer waited for.
    std::string call(std::string_view method, std::string_view params = "{}") {
        service.on_line(kClient, R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) +
                                     R"(","params":)" + std::string(params) + "}");
        deliver();
        const auto lines = take();
        REQUIRE(lines.size() == 1);
        return lines[0];
    }
    json::Document result(std::string_view method, std::string_view params = "{}") {
        json::Limits limits;
        limits.bytes_max = ipc::kReplyBytesMax;
        auto document = json::Document::parse(call(method, params), limits);
        REQUIRE(document);
        CAPTURE(document->root().print());
        REQUIRE(document->root()["result"].is_object());
        return std::move(*document);
    }
    /// Code of the error; 0 where there is none.
    std::int64_t code(std::string_view method, std::string_view params = "{}") {
        const auto document = json::Document::parse(call(method, params), json::Limits{});
        return document->root()["error"]["code"].as_int().value_or(0);
    }
    /// Records commands instead of giving them to the node.
    Fixture& recording() {
        mesh.is_recording = true;
        mesh.refusal.reset();
        return *this;
    }
    /// And refuses them so.
    Fixture& recording(CommandError refusal) {
        mesh.is_recording = true;
        mesh.refusal.emplace(std::move(refusal));
        return *this;
    }
};

using Lines = std::vector<std::string>;

/// Code, field and message of the error that the call gets: "800 hash: …".
inline std::string error_text(Fixture& f, std::string_view method, std::string_view params) {
    const auto document = json::Document::parse(f.call(method, params), json::Limits{});
    const json::Value error = document->root()["error"];
    return std::to_string(error["code"].as_int().value_or(0)) + " " +
           std::string(error["data"]["field"].as_string().value_or("")) + ": " +
           std::string(error["message"].as_string().value_or(""));
}

}  // namespace meshd::rpc_test
