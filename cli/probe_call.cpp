// SPDX-License-Identifier: Apache-2.0
#include "cli/probe_call.h"

#include "proto/base/json.h"

namespace meshd::cli {

tl::expected<ProbeCall, std::string> probe_call(const Arguments& arguments) {
    ProbeCall call;
    call.wait = arguments.duration("wait").value_or(call.wait);
    json::Writer(call.params)
        .begin_object()
        .member("node", arguments.text("NODE"))
        .member("timeout_ms", call.wait.count())
        .end_object();
    return call;
}

}  // namespace meshd::cli
