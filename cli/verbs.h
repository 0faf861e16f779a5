// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "cli/verb.h"

namespace meshd::cli {

extern const Verb kStatusVerb;
extern const Verb kNodesVerb;
extern const Verb kPeersVerb;
extern const Verb kRoutesVerb;
extern const Verb kTopologyVerb;
extern const Verb kPingVerb;
extern const Verb kTraceVerb;
extern const Verb kAlertVerb;
extern const Verb kAlertsVerb;
extern const Verb kStateGetVerb;
extern const Verb kStateSetVerb;
extern const Verb kRegistryPutVerb;
extern const Verb kRegistryGetVerb;
extern const Verb kRegistryRmVerb;
extern const Verb kRegistryLsVerb;
extern const Verb kRegistryNearestVerb;
extern const Verb kRegistryExportVerb;
extern const Verb kRegistryImportVerb;
extern const Verb kSearchVerb;
extern const Verb kSendVerb;
extern const Verb kBroadcastVerb;
extern const Verb kWatchVerb;
extern const Verb kDiscoverVerb;
extern const Verb kWaitVerb;
extern const Verb kDoctorVerb;
extern const Verb kReloadVerb;
extern const Verb kTopVerb;
extern const Verb kForgetVerb;
extern const Verb kLeaveVerb;
extern const Verb kKeyNewVerb;
extern const Verb kKeyJoinVerb;
extern const Verb kKeyLsVerb;
extern const Verb kKeyReplaceVerb;
extern const Verb kKeyRotateVerb;
extern const Verb kKeyRmVerb;
extern const Verb kBackupVerb;
extern const Verb kStatsVerb;
extern const Verb kMetricsVerb;
extern const Verb kRpcVerb;
extern const Verb kConfigVerb;
extern const Verb kCompletionVerb;
extern const Verb kVersionVerb;

/// All of them, in the order of the help.
std::span<const Verb* const> all_verbs();

}  // namespace meshd::cli
