// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a start leaves behind in memory and a daemon that runs for months has no use for.
#pragma once

namespace meshd {

/// Gives back memory that only the start needed: freed heap, and the code of command line,
/// configuration and database set-up, in the program and in its libraries. Code is mapped from
/// files and read-only: what is needed after all is mapped again by a minor fault. Call it once
/// all is up. Never fails; where the kernel declines, memory stays as it was.
void release_start_memory();

}  // namespace meshd
