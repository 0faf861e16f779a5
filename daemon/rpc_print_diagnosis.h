// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "daemon/host_facts.h"
#include "proto/node.h"

namespace meshd {

/// Result of mesh.diagnosis (ipc/API.md).
std::string print_diagnosis(const DiagnosisView& diagnosis, const SecurityView& security,
                            const std::vector<NodeView>& nodes, const HostFacts& host);

}  // namespace meshd
