// SPDX-License-Identifier: Apache-2.0
// A program of another project: asks a stand-in for the daemon by both kinds of client, then finds
// that no daemon is where it looks. Exit code 0 where all is as it should be.
#include <ipc/client/client.h>
#include <ipc/client/event_client.h>
#include <ipc/client/event_resume.h>
#include <ipc/client/socket_path.h>
#include <ipc/error.h>
#include <ipc/event_kind.h>
#include <sys/socket.h>

#include <cstdio>
#include <string>

using namespace meshd;

namespace {

ipc::Deadline soon() {
    return std::chrono::steady_clock::now() + std::chrono::seconds(10);
}

/// The answers to the first two calls and an event, written before anything is asked.
ipc::Descriptor stand_in(ipc::Descriptor& daemon) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        std::perror("socketpair");
    }
    daemon = ipc::Descriptor(ends[1]);
    const std::string text =
        R"({"jsonrpc":"2.0","id":1,"result":{"subscription":"7"}})"
        "\n"
        R"({"jsonrpc":"2.0","method":"event","params":{"subscription":"7","kind":"alert","data":{}}})"
        "\n"
        R"({"jsonrpc":"2.0","id":2,"error":{"code":900,"message":"full"}})"
        "\n";
    static_cast<void>(send(ends[1], text.data(), text.size(), 0));
    return ipc::Descriptor(ends[0]);
}

}  // namespace

int main() {
    ipc::Descriptor daemon;
    ipc::Client client(stand_in(daemon));
    const auto subscribed = client.subscribe("{}", soon());
    const auto event = client.next_event(soon());
    const auto refused = client.call("mesh.nodes", "{}", soon());
    if (!subscribed || !event || event->kind() != "alert" || refused ||
        refused.error().code != static_cast<int>(ipc::ErrorCode::Overloaded)) {
        std::puts("the blocking client fails");
        return 1;
    }
    int events = 0;
    int answers = 0;
    ipc::EventClient looped(stand_in(daemon));
    looped.subscribe(
        "{}", soon(), [&](const ipc::Event&) { ++events; },
        [&](const auto& reply) { answers += reply ? 1 : 0; });
    looped.call("mesh.nodes", "{}", soon(), [&](const auto& reply) { answers += reply ? 0 : 1; });
    const ipc::Deadline until = soon();
    while (answers < 2 && looped.wait_and_dispatch(until)) {
    }
    if (answers != 2 || events != 1) {
        std::puts("the client with a loop fails");
        return 1;
    }
    const ipc::EventResume resume("cursor");
    const auto nobody = ipc::Client::connect({"/nowhere/meshd.sock"}, soon());
    return !nobody && nobody.error().kind == ipc::ClientError::Kind::NoDaemon &&
                   resume.cursor() == "cursor" && ipc::socket_candidates({"/a", "", ""}).size() == 1
               ? 0
               : 1;
}
