// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/cli/fake_daemon.h"
#include "tests/cli/run_meshctl.h"

namespace meshd::cli {

struct RanVerb {
    Finished done;
    std::string calls;  ///< "method params", a line each
};

/// Runs meshctl with these words before a daemon that answers every call with `member`:
/// `"result":…` or `"error":…`.
inline RanVerb run_verb(std::string_view member, std::vector<std::string> words,
                        const std::string& input = "") {
    RanVerb out;
    {
        const FakeDaemon daemon(
            {responder([&](std::string_view method, const std::string& params) -> std::string {
                out.calls += std::string(method) + " " + params + "\n";
                return std::string(member);
            })});
        words.insert(words.begin(), {"--socket", daemon.path()});
        out.done = run_meshctl(std::move(words), input);
    }
    return out;
}

}  // namespace meshd::cli
