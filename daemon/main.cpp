// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "daemon/config_file.h"
#include "daemon/daemon.h"
#include "daemon/start_delay.h"

namespace {

using meshd::ConfigOverride;
using meshd::ExitCode;

struct Arguments {
    meshd::ConfigSources sources;
    bool is_check_only = false;
};

/// The arguments, or the exit code where that is all (--help, --version, wrong usage).
tl::expected<Arguments, int> parse_arguments(int argc, char** argv) {
    CLI::App app{
        "meshd: one mesh out of the boxes of a site. Stays in the foreground and logs to stderr.\n"
        "Every flag that sets something is a configuration key by another name; flags beat files."};
    app.failure_message([](const CLI::App* failed, const CLI::Error& error) {
        return "meshd: " + CLI::FailureMessage::simple(failed, error);
    });
    std::string config;
    std::vector<std::string> sets;
    bool is_open = false;
    Arguments arguments;
    struct Flag {
        const char* name;
        const char* key;
        const char* help;
        std::vector<std::string> texts;
    };
    std::vector<Flag> flags = {
        {"--node-id", "mesh.node_id", "Name of this node", {}},
        {"--mesh", "mesh.name", "Name of the mesh", {}},
        {"--socket", "socket.path", "Unix socket of the local API", {}},
        {"--state-dir", "state_dir", "Directory of what is kept over restarts", {}},
        {"--log-level", "log.level", "debug, info, warning or error", {}},
    };
    ConfigOverride bootstrap{"--bootstrap", "mesh.bootstrap", {}, {}};

    const CLI::Option* const file =
        app.add_option("--config", config,
                       "Configuration file (default: " + std::string(meshd::kDefaultConfigFile) +
                           " where it exists)")
            ->type_name("FILE");
    for (Flag& flag : flags) {
        app.add_option(flag.name, flag.texts, flag.help)->expected(1)->type_name("TEXT");
    }
    app.add_option("--bootstrap", bootstrap.texts,
                   "Address of another node, asked where broadcast does not reach; repeatable")
        ->type_name("HOST:PORT");
    app.add_flag("--open", is_open, "Whoever reaches the UDP port takes part (security.mode=open)");
    app.add_option("--set", sets, "Any configuration key, such as mesh.max_peers=6; repeatable")
        ->type_name("KEY=VALUE");
    app.add_flag("--check-config", arguments.is_check_only, "Read the configuration and exit");
    app.set_version_flag("--version", "meshd " MESHD_VERSION);

    try {
        app.parse(argc, argv);
        if (file->count() > 0 && config.empty()) {
            throw CLI::ValidationError("--config", "expected the path of a file, got nothing");
        }
        for (const std::string& set : sets) {
            const std::size_t equals = set.find('=');
            if (equals == std::string::npos || equals == 0) {
                throw CLI::ValidationError("--set", "expected KEY=VALUE, got \"" + set + "\"");
            }
            arguments.sources.overrides.push_back(
                {"--set " + set, set.substr(0, equals), set.substr(equals + 1), {}});
        }
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error);
        return tl::unexpected(code == 0 ? 0 : static_cast<int>(ExitCode::Usage));
    }
    if (!config.empty()) {
        arguments.sources.file = config;
    }
    for (const Flag& flag : flags) {
        if (!flag.texts.empty()) {
            arguments.sources.overrides.push_back({flag.name, flag.key, {}, flag.texts});
        }
    }
    if (!bootstrap.texts.empty()) {
        arguments.sources.overrides.push_back(bootstrap);
    }
    if (is_open) {
        arguments.sources.overrides.push_back({"--open", "security.mode", {}, {"open"}});
    }
    return arguments;
}

/// The next descriptor opened would take the place of a closed standard stream, and the log would
/// be written into a socket.
void open_standard_streams() {
    int fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO) {
        fd = open("/dev/null", O_RDWR);
    }
    if (fd >= 0) {
        close(fd);
    }
}

int exit_with(ExitCode code) {
    return static_cast<int>(code);
}

}  // namespace

int main(int argc, char** argv) {
    open_standard_streams();
    const auto arguments = parse_arguments(argc, argv);
    if (!arguments) {
        return arguments.error();
    }
    meshd::ServiceStart start;
    if (!arguments->is_check_only && !start.wait()) {
        return exit_with(ExitCode::Ok);
    }
    const auto settings = meshd::load_settings(arguments->sources);
    if (!settings) {
        for (const std::string& error : settings.error()) {
            std::fprintf(stderr, "meshd: %s\n", error.c_str());
        }
        return exit_with(ExitCode::Configuration);
    }
    if (arguments->is_check_only) {
        std::string files;
        for (const std::string& file : settings->files) {
            files += (files.empty() ? ": " : ", ") + file;
        }
        std::printf("configuration ok%s\n", files.empty()
                                                ? ": no file, all at its default or set by flags"
                                                : files.c_str());
        return exit_with(ExitCode::Ok);
    }
    meshd::set_log_level(settings->log_level);
    const ExitCode code = meshd::run_daemon(arguments->sources, *settings);
    if (code == ExitCode::Ok) {
        start.end_cleanly();
    }
    return exit_with(code);
}
