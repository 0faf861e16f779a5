// SPDX-License-Identifier: Apache-2.0
/// \file
/// Deliberate breaks of one invariant each, so that the simulator can show that it would notice.
/// Built in only with -DMESHD_MUTANT=<name>; never in what is shipped.
#pragma once

namespace meshd {

enum class CoreMutant {
    None,
    ResurrectDead,  ///< purging a tombstone does not raise the floor
    AcceptOlder,    ///< the older of two records of a key wins
    ClaimDurable,   ///< a write is called durable that the disk refused
};

#ifdef MESHD_MUTANT
inline constexpr CoreMutant kCoreMutant = CoreMutant::MESHD_MUTANT;
#else
inline constexpr CoreMutant kCoreMutant = CoreMutant::None;
#endif

constexpr bool is_mutant(CoreMutant mutant) {
    return kCoreMutant == mutant;
}

}  // namespace meshd
