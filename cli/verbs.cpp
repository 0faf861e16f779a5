// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs.h"

#include <array>

namespace meshd::cli {

std::span<const Verb* const> all_verbs() {
    static constexpr std::array kVerbs = {
        &kStatusVerb,         &kDoctorVerb,         &kNodesVerb,      &kPeersVerb,
        &kRoutesVerb,         &kTopologyVerb,       &kPingVerb,       &kTraceVerb,
        &kAlertVerb,          &kAlertsVerb,         &kSearchVerb,     &kSendVerb,
        &kBroadcastVerb,      &kStateGetVerb,       &kStateSetVerb,   &kRegistryPutVerb,
        &kRegistryGetVerb,    &kRegistryRmVerb,     &kRegistryLsVerb, &kRegistryNearestVerb,
        &kRegistryExportVerb, &kRegistryImportVerb, &kTopVerb,        &kWatchVerb,
        &kWaitVerb,           &kDiscoverVerb,       &kLeaveVerb,      &kForgetVerb,
        &kKeyNewVerb,         &kKeyJoinVerb,        &kKeyLsVerb,      &kKeyReplaceVerb,
        &kKeyRotateVerb,      &kKeyRmVerb,          &kReloadVerb,     &kBackupVerb,
        &kStatsVerb,          &kMetricsVerb,        &kRpcVerb,        &kConfigVerb,
        &kCompletionVerb,     &kVersionVerb,
    };
    return kVerbs;
}

std::span<const Option> global_options() {
    static constexpr std::array<Option, 5> kOptions = {{
        {GlobalOption::kSocket, "PATH", "socket of the daemon", ValueKind::Path},
        {GlobalOption::kJson, "", "the daemon's result as JSON, for programs", ValueKind::Flag},
        {GlobalOption::kTimeout, "S", "how long to wait for the daemon, in seconds (default 5)",
         ValueKind::Duration, 1, 24 * 3600 * 1000},
        {GlobalOption::kNoColor, "", "no colours", ValueKind::Flag},
        {
            .name = GlobalOption::kQuiet,
            .help = "data and errors only: no hints, no word where it worked",
            .letter = 'q',
        },
    }};
    return kOptions;
}

}  // namespace meshd::cli
