// SPDX-License-Identifier: Apache-2.0
#include "daemon/start_memory.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace meshd {
namespace {

/// Only segments that nobody writes: relocated data would come back from the file as they were
/// before the relocation.
bool is_code(const ElfW(Phdr) & segment) {
    return segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0 &&
           (segment.p_flags & PF_W) == 0;
}

int release_code(dl_phdr_info* object, std::size_t, void*) {
    const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const ElfW(Phdr)& segment = object->dlpi_phdr[i];
        if (!is_code(segment)) {
            continue;
        }
        const std::uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) / page * page;
        const std::uintptr_t end = object->dlpi_addr + segment.p_vaddr + segment.p_memsz;
        madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    }
    return 0;
}

}  // namespace

void release_start_memory() {
    malloc_trim(0);
    dl_iterate_phdr(release_code, nullptr);
}

}  // namespace meshd
