// SPDX-License-Identifier: Apache-2.0
// The local API of a real meshd beside a bare libuv server that answers each line with as many
// bytes, on the same kind of socket and in one run. Server on one core, client on another.
// Usage: rpc_bench [ROUNDS] [--json]; prints one line for each figure, medians over the rounds, or
// JSON.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <uv.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "ipc/client/descriptor.h"

namespace {

using meshd::ipc::Descriptor;
using std::chrono::steady_clock;

constexpr auto kRound = std::chrono::milliseconds(1000);
constexpr std::size_t kIdleClients = 1000;
/// Requests of one write; two such are under way at once.
constexpr std::size_t kRequestsAhead = 256;
constexpr int kServerCore = 0;
constexpr int kClientCore = 1;

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "rpc_bench: %s: %s\n", what.c_str(), std::strerror(errno));
    std::exit(1);
}

void pin(int core) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(static_cast<std::size_t>(core), &cores);
    sched_setaffinity(0, sizeof cores, &cores);
}

/// Waits for the server to come up.
Descriptor connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    for (int attempt = 0; attempt < 2000; ++attempt) {
        Descriptor client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0) {
            return client;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    fail("connect " + path);
}

void write_all(const Descriptor& client, std::string_view text) {
    while (!text.empty()) {
        const ssize_t sent = send(client.get(), text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            fail("send");
        }
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

std::string read_line(const Descriptor& client) {
    std::string line;
    char room[64 * 1024];
    while (line.empty() || line.back() != '\n') {
        const ssize_t got = recv(client.get(), room, sizeof room, 0);
        if (got <= 0) {
            fail("recv");
        }
        line.append(room, static_cast<std::size_t>(got));
    }
    return line;
}

/// Newlines in what one recv gives; 0 where nothing is there and `is_waiting` is false.
std::size_t take_lines(const Descriptor& client, bool is_waiting) {
    static char room[256 * 1024];
    const ssize_t got = recv(client.get(), room, sizeof room, is_waiting ? 0 : MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) {
        return 0;
    }
    if (got <= 0) {
        fail("recv");
    }
    return static_cast<std::size_t>(std::count(room, room + got, '\n'));
}

double seconds_since(steady_clock::time_point begin) {
    return std::chrono::duration<double>(steady_clock::now() - begin).count();
}

/// Processor time that a process has used.
double processor_seconds(pid_t process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/schedstat");
    double nanoseconds = 0;
    file >> nanoseconds;
    return nanoseconds / 1e9;
}

/// Requests per second, by the clock and by the server's processor time: on a machine that does
/// other work as well, the latter says what a core of its own would give.
struct Rate {
    double by_clock = 0;
    double by_core = 0;
};

/// Each request is sent when the reply before has come.
Rate serial_rate(pid_t server, const std::string& path, const std::string& request) {
    const Descriptor client = connect_to(path);
    const double used = processor_seconds(server);
    const auto begin = steady_clock::now();
    double done = 0;
    while (steady_clock::now() - begin < kRound) {
        for (int i = 0; i < 64; ++i, ++done) {
            write_all(client, request);
            while (take_lines(client, true) == 0) {
            }
        }
    }
    return {done / seconds_since(begin), done / (processor_seconds(server) - used)};
}

/// With some hundred requests always under way.
Rate pipelined_rate(pid_t server, const std::string& path, const std::string& request) {
    const Descriptor client = connect_to(path);
    std::string requests;
    for (std::size_t i = 0; i < kRequestsAhead; ++i) {
        requests += request;
    }
    const double used = processor_seconds(server);
    const auto begin = steady_clock::now();
    std::size_t sent = 0;
    std::size_t done = 0;
    while (steady_clock::now() - begin < kRound) {
        while (sent < done + 2 * kRequestsAhead) {
            write_all(client, requests);
            sent += kRequestsAhead;
        }
        done += take_lines(client, true);
    }
    while (done < sent) {
        done += take_lines(client, true);
    }
    const auto replies = static_cast<double>(done);
    return {replies / seconds_since(begin), replies / (processor_seconds(server) - used)};
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// The rates of all rounds.
class Series {
  public:
    void add(const Rate& rate) {
        by_clock_.push_back(rate.by_clock);
        by_core_.push_back(rate.by_core);
    }
    Rate middle() const { return {median(by_clock_), median(by_core_)}; }
    /// Round by round, since other work on the machine comes and goes.
    Rate ratio(const Series& other) const {
        return {median(quotients(by_clock_, other.by_clock_)),
                median(quotients(by_core_, other.by_core_))};
    }

  private:
    static std::vector<double> quotients(const std::vector<double>& a,
                                         const std::vector<double>& b) {
        std::vector<double> result;
        for (std::size_t i = 0; i < a.size(); ++i) {
            result.push_back(a[i] / b[i]);
        }
        return result;
    }

    std::vector<double> by_clock_;
    std::vector<double> by_core_;
};

/// What was measured, printed as it comes, or as JSON at the end.
class Report {
  public:
    explicit Report(bool is_json) : is_json_(is_json) {}

    void add(const std::string& what, double value, const char* unit) {
        if (!is_json_) {
            std::printf("%-44s %12.2f %s\n", what.c_str(), value, unit);
        }
        json_ += (json_.empty() ? "\"" : ",\n \"") + what + " [" + unit +
                 "]\": " + std::to_string(value);
    }
    void add(const std::string& what, const Rate& rate, const char* unit) {
        add(what, rate.by_clock, unit);
        add(what + ", by processor time", rate.by_core, unit);
    }
    ~Report() {
        if (is_json_) {
            std::printf("{%s}\n", json_.c_str());
        }
    }
    Report(const Report&) = delete;
    Report& operator=(const Report&) = delete;

  private:
    bool is_json_;
    std::string json_;
};

/// A server that knows nothing but lines.
class Echo {
  public:
    Echo(std::string path, std::size_t reply_bytes) : reply_(reply_bytes - 1, 'x') {
        reply_ += '\n';
        uv_loop_init(&loop_);
        uv_pipe_init(&loop_, &listener_, 0);
        listener_.data = this;
        if (uv_pipe_bind(&listener_, path.c_str()) != 0) {
            fail("bind " + path);
        }
        uv_listen(reinterpret_cast<uv_stream_t*>(&listener_), 16, [](uv_stream_t* stream, int) {
            auto& echo = *static_cast<Echo*>(stream->data);
            auto* client = new uv_pipe_t{};
            uv_pipe_init(&echo.loop_, client, 0);
            client->data = &echo;
            uv_accept(stream, reinterpret_cast<uv_stream_t*>(client));
            uv_read_start(
                reinterpret_cast<uv_stream_t*>(client),
                [](uv_handle_t*, std::size_t, uv_buf_t* buffer) {
                    static char room[64 * 1024];
                    *buffer = uv_buf_init(room, sizeof room);
                },
                on_read);
        });
        uv_run(&loop_, UV_RUN_DEFAULT);
    }

  private:
    static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
        auto& echo = *static_cast<Echo*>(stream->data);
        if (size < 0) {
            uv_close(reinterpret_cast<uv_handle_t*>(stream),
                     [](uv_handle_t* closed) { delete reinterpret_cast<uv_pipe_t*>(closed); });
            return;
        }
        struct Write {
            uv_write_t request;
            std::string text;
        };
        auto* write = new Write{};
        const auto lines = std::count(buffer->base, buffer->base + size, '\n');
        for (auto i = lines; i > 0; --i) {
            write->text += echo.reply_;
        }
        write->request.data = write;
        uv_buf_t out = uv_buf_init(write->text.data(), static_cast<unsigned>(write->text.size()));
        uv_write(&write->request, stream, &out, 1,
                 [](uv_write_t* request, int) { delete static_cast<Write*>(request->data); });
    }

    std::string reply_;
    uv_loop_t loop_{};
    uv_pipe_t listener_{};
};

template <class Run>
pid_t start(Run run) {
    const pid_t child = fork();
    if (child < 0) {
        fail("fork");
    }
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(kServerCore);
        run();
        _exit(1);
    }
    return child;
}

/// The daemon beside this program, in a network of its own, so that no other hears it.
void become_meshd(const std::string& directory) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0 && unshare(CLONE_NEWNET) != 0) {
        fail("unshare");
    }
    const std::string program =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "meshd";
    const std::string state = directory + "/state";
    const std::string socket = directory + "/meshd.sock";
    const int log = open((directory + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(log, STDERR_FILENO);
    execl(program.c_str(), "meshd", "--open", "--node-id", "box-1", "--state-dir", state.c_str(),
          "--socket", socket.c_str(), nullptr);
    fail("exec " + program);
}

double resident_mb(pid_t process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/statm");
    long size = 0;
    long resident = 0;
    file >> size >> resident;
    return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

/// Events per second that one subscriber gets, and how many were lost to it.
void measure_events(const std::string& path, Report& report) {
    const Descriptor subscriber = connect_to(path);
    write_all(
        subscriber,
        R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe","params":{"kinds":["registry"]}})"
        "\n");
    read_line(subscriber);
    constexpr int kEntries = 500;
    std::string put = R"({"jsonrpc":"2.0","id":1,"method":"registry.put","params":{"entries":[)";
    for (int i = 0; i < kEntries; ++i) {
        put += (i > 0 ? "," : "") + (R"({"hash":"h)" + std::to_string(i)) + R"(","type":"face"})";
    }
    put += "]}}\n";
    std::size_t events = 0;
    std::size_t puts = 0;
    const auto begin = steady_clock::now();
    const Descriptor writer = connect_to(path);
    write_all(writer, put);
    while (seconds_since(begin) < 3) {
        pollfd ready[2] = {{subscriber.get(), POLLIN, 0}, {writer.get(), POLLIN, 0}};
        poll(ready, 2, 100);
        if (ready[0].revents != 0) {
            events += take_lines(subscriber, false);
        }
        if (ready[1].revents != 0 && take_lines(writer, false) > 0) {
            ++puts;
            write_all(writer, put);
        }
    }
    const double seconds = seconds_since(begin);
    report.add("events to one subscriber", static_cast<double>(events) / seconds, "/s");
    report.add("events that happened", static_cast<double>(puts * kEntries) / seconds, "/s");
}

/// Memory of the daemon for clients that have asked once and wait; before anything else, so that no
/// memory freed by other work hides it.
void measure_idle(pid_t meshd, const std::string& path, const std::string& request,
                  Report& report) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    const double before = resident_mb(meshd);
    std::vector<Descriptor> idle;
    while (idle.size() < kIdleClients) {
        idle.push_back(connect_to(path));
        write_all(idle.back(), request);
        read_line(idle.back());
    }
    report.add("1000 idle clients", resident_mb(meshd) - before, "MB");
    report.add("resident before", before, "MB");
}

}  // namespace

int main(int argc, char** argv) {
    const bool is_json = argc > 1 && std::string_view(argv[argc - 1]) == "--json";
    const int rounds = argc - (is_json ? 1 : 0) > 1 ? std::atoi(argv[1]) : 5;
    if (rounds < 1) {
        std::fprintf(stderr, "usage: rpc_bench [ROUNDS] [--json]\n");
        return 2;
    }
    Report report(is_json);
    char directory[] = "/tmp/rpc_bench.XXXXXX";
    if (mkdtemp(directory) == nullptr) {
        fail("mkdtemp");
    }
    const std::string base = directory;
    const std::string meshd_path = base + "/meshd.sock";
    const std::string echo_path = base + "/echo.sock";
    const std::string request = R"({"jsonrpc":"2.0","id":1,"method":"mesh.status"})"
                                "\n";
    const pid_t meshd = start([&] { become_meshd(base); });
    const Descriptor first = connect_to(meshd_path);
    write_all(first, request);
    const std::size_t reply_bytes = read_line(first).size();
    const pid_t echo = start([&] { Echo(echo_path, reply_bytes); });
    pin(kClientCore);

    measure_idle(meshd, meshd_path, request, report);
    Series echo_serial;
    Series serial;
    Series echo_pipelined;
    Series pipelined;
    for (int round = 0; round < rounds; ++round) {
        echo_serial.add(serial_rate(echo, echo_path, request));
        serial.add(serial_rate(meshd, meshd_path, request));
        echo_pipelined.add(pipelined_rate(echo, echo_path, request));
        pipelined.add(pipelined_rate(meshd, meshd_path, request));
    }
    report.add("a reply of mesh.status", static_cast<double>(reply_bytes), "B");
    report.add("serial, bare echo", echo_serial.middle(), "/s");
    report.add("serial, mesh.status", serial.middle(), "/s");
    report.add("serial, of the echo", serial.ratio(echo_serial), "");
    report.add("pipelined, bare echo", echo_pipelined.middle(), "/s");
    report.add("pipelined, mesh.status", pipelined.middle(), "/s");
    measure_events(meshd_path, report);

    kill(meshd, SIGTERM);
    kill(echo, SIGKILL);
    waitpid(meshd, nullptr, 0);
    waitpid(echo, nullptr, 0);
    std::filesystem::remove_all(base);
    return 0;
}
