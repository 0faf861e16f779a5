// SPDX-License-Identifier: Apache-2.0
// Configuration as YAML: settings or messages, and a file by itself has the effect it always has.
#include <filesystem>

#include "daemon/config_file.h"
#include "proto/base/assert.h"
#include "tests/fuzz/input.h"

using namespace meshd;

namespace {

/// No line of an error list may break the log line it becomes.
void check_errors(const std::vector<std::string>& errors) {
    for (const std::string& error : errors) {
        MESHD_ASSERT(!error.empty());
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(as_text({data, size}));
    Settings settings;
    std::vector<std::string> errors;
    apply_config_text("f.yaml", text, settings, errors);
    check_errors(errors);

    // The same bytes as overrides, one a line: "key value".
    ConfigSources sources;
    sources.default_file = "/nonexistent/meshd.yaml";
    for (std::size_t begin = 0; begin < text.size() && sources.overrides.size() < 8;) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string line = text.substr(begin, end - begin);
        begin = end + 1;
        const std::size_t blank = line.find(' ');
        if (blank != std::string::npos) {
            ConfigOverride override{"--set " + line, line.substr(0, blank), {}, {}};
            if (blank + 1 < line.size() && line[blank + 1] == '=') {
                override.texts.push_back(line.substr(blank + 2));
            } else {
                override.yaml = line.substr(blank + 1);
            }
            sources.overrides.push_back(std::move(override));
        }
    }
    if (const auto loaded = load_settings(sources); !loaded) {
        MESHD_ASSERT(!loaded.error().empty());
        check_errors(loaded.error());
    }
    return 0;
}
