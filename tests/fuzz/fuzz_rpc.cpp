// SPDX-License-Identifier: Apache-2.0
// The local API: two clients' bytes as lines into the service, over a node without a network. What
// is answered is JSON of one line; nothing is answered that was not asked.
#define DOCTEST_CONFIG_DISABLE  // the fixture's stand-ins are of use here, its checks are not

#include "daemon/rpc_service.h"
#include "ipc/framing.h"
#include "proto/base/assert.h"
#include "tests/daemon/rpc_fixture.h"
#include "tests/fuzz/input.h"

using namespace meshd;

namespace {

/// Enough for any sequence of calls that matters, little enough for thousands of runs a second.
constexpr int kLinesMax = 40;

struct Server {
    rpc_test::StandInMesh mesh;
    rpc_test::StandInConfig config;
    rpc_test::StandInKeys keys;
    std::size_t replies = 0;
    RpcService service{mesh,
                       {[this](RpcService::ClientId, const std::string& line, bool is_event) {
                            check_line(line);
                            replies += is_event ? 0 : 1;
                            return !is_event || line.size() % 7 != 0;
                        },
                        [](RpcService::ClientId client) { return client == 1; },
                        [](RpcService::ClientId) { return 1000U; },
                        [](RpcService::ClientId, const ipc::Method&, bool) {},
                        {},
                        [](TimePoint) {},
                        &config,
                        &keys}};

    static void check_line(const std::string& line) {
        MESHD_ASSERT(line.size() > 1 && line.back() == '\n');
        MESHD_ASSERT(line.find('\n') == line.size() - 1);
        MESHD_ASSERT(line.size() <= ipc::kReplyBytesMax);
        json::Limits limits;
        limits.bytes_max = ipc::kReplyBytesMax;
        limits.values_max = std::size_t{1} << 22;
        MESHD_ASSERT(json::Document::parse(line, limits).has_value());
    }

    void deliver() {
        for (const Output& output : mesh.drain()) {
            service.on_output(output);
        }
    }
    void advance(Duration by) {
        mesh.advance(by);
        deliver();
        service.on_timeout();
    }
    /// Of "~": how much time passes; else a call.
    void on_line(RpcService::ClientId client, std::string_view line) {
        if (line.front() == '~') {
            advance(std::chrono::milliseconds(20 * line.size() * line.size()));
            return;
        }
        service.on_line(client, line);
        deliver();
        service.on_client_writable(client);
        for (auto& done : std::exchange(mesh.backups, {})) {
            done(BackupDone{});
        }
        for (auto& scan : std::exchange(mesh.scans, {})) {
            scan();
        }
        advance(std::chrono::milliseconds(1));
    }
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    Server server;
    server.mesh.is_scanning_beside = input.flag();
    // Both clients speak the same, the second in smaller pieces: lines come out whole all the same.
    const Bytes stream = input.rest();
    const std::size_t piece = 1 + size % 13;
    ipc::LineSplitter whole;
    ipc::LineSplitter pieces(4096);
    whole.append(as_text(stream));
    for (std::size_t at = 0; at < stream.size(); at += piece) {
        pieces.append(as_text(stream.subspan(at, std::min(piece, stream.size() - at))));
        MESHD_ASSERT(pieces.held() <= 4096 + stream.size());
    }
    int lines = 0;
    while (const auto line = whole.next_line()) {
        MESHD_ASSERT(!line->empty());
        server.on_line(1, *line);
        if (const auto other = pieces.next_line()) {
            MESHD_ASSERT(*other == *line);
            if (lines % 4 == 3) {
                server.on_line(2, *other);
            }
        }
        if (++lines == kLinesMax) {
            break;
        }
    }
    if (lines < kLinesMax) {
        if (const auto line = whole.last_line()) {
            server.on_line(1, *line);
        }
    }
    server.advance(std::chrono::seconds(61));
    // Every call that waits has a time limit of at most a minute.
    server.service.on_client_gone(2);
    server.advance(std::chrono::seconds(1));
    server.service.on_client_gone(1);
    MESHD_ASSERT(!server.service.is_waiting(1));
    server.advance(std::chrono::seconds(1));
    return 0;
}
