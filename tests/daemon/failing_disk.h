// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <string_view>

namespace meshd {

/// As long as it lives, SQLite opens files through it (other than by a named VFS), and their reads,
/// writes and syncs fail when they are told to.
class FailingDisk {
  public:
    enum class Operation { Read, Write, Sync };
    struct Fault {
        Operation operation = Operation::Sync;
        bool is_log = true;   ///< of the write-ahead log; else of the database
        int after = 0;        ///< so many succeed first
        int times = 1;        ///< so many fail then
        bool is_old = false;  ///< only of files that were open already
    };

    FailingDisk() : system_(sqlite3_vfs_find(nullptr)), vfs_(*system_) {
        vfs_.zName = "failing";
        vfs_.szOsFile = static_cast<int>(sizeof(File)) + system_->szOsFile;
        vfs_.pAppData = this;
        vfs_.pNext = nullptr;
        vfs_.xOpen = open;
        sqlite3_vfs_register(&vfs_, 1);
    }
    FailingDisk(const FailingDisk&) = delete;
    FailingDisk& operator=(const FailingDisk&) = delete;
    ~FailingDisk() {
        sqlite3_vfs_unregister(&vfs_);
        sqlite3_vfs_register(system_, 1);
    }

    void fail(const Fault& fault) {
        fault_ = fault;
        ++age_;
    }
    void heal() { fault_.times = 0; }
    /// Something failed so far.
    bool has_failed() const { return has_failed_; }

  private:
    struct File {
        sqlite3_file base;
        FailingDisk* disk;
        bool is_log;
        int age;
    };

    static sqlite3_file* real(sqlite3_file* file) {
        return reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1);
    }
    static bool fails(sqlite3_file* file, Operation operation) {
        const File& of = *reinterpret_cast<File*>(file);
        Fault& fault = of.disk->fault_;
        if (fault.times == 0 || fault.operation != operation || fault.is_log != of.is_log ||
            (fault.is_old && of.age >= of.disk->age_)) {
            return false;
        }
        if (fault.after > 0) {
            --fault.after;
            return false;
        }
        --fault.times;
        of.disk->has_failed_ = true;
        errno = EIO;
        return true;
    }

    static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
        auto& disk = *static_cast<FailingDisk*>(vfs->pAppData);
        auto* opened = new (file) File{};
        opened->disk = &disk;
        opened->is_log = (flags & SQLITE_OPEN_WAL) != 0;
        opened->age = disk.age_;
        const int code = disk.system_->xOpen(disk.system_, name, real(file), flags, out);
        file->pMethods = real(file)->pMethods == nullptr ? nullptr : &methods();
        return code;
    }
    static int read(sqlite3_file* file, void* data, int size, sqlite3_int64 at) {
        return fails(file, Operation::Read)
                   ? SQLITE_IOERR_READ
                   : real(file)->pMethods->xRead(real(file), data, size, at);
    }
    static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
        return fails(file, Operation::Write)
                   ? SQLITE_IOERR_WRITE
                   : real(file)->pMethods->xWrite(real(file), data, size, at);
    }
    static int sync(sqlite3_file* file, int flags) {
        return fails(file, Operation::Sync) ? SQLITE_IOERR_FSYNC
                                            : real(file)->pMethods->xSync(real(file), flags);
    }
    /// Version 1: neither shared memory nor mapped files, as the storage uses none.
    static const sqlite3_io_methods& methods() {
        static const sqlite3_io_methods all = [] {
            sqlite3_io_methods made{};
            made.iVersion = 1;
            made.xClose = [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); };
            made.xRead = read;
            made.xWrite = write;
            made.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
                return real(f)->pMethods->xTruncate(real(f), size);
            };
            made.xSync = sync;
            made.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
                return real(f)->pMethods->xFileSize(real(f), size);
            };
            made.xLock = [](sqlite3_file* f, int lock) {
                return real(f)->pMethods->xLock(real(f), lock);
            };
            made.xUnlock = [](sqlite3_file* f, int lock) {
                return real(f)->pMethods->xUnlock(real(f), lock);
            };
            made.xCheckReservedLock = [](sqlite3_file* f, int* out) {
                return real(f)->pMethods->xCheckReservedLock(real(f), out);
            };
            made.xFileControl = [](sqlite3_file* f, int op, void* arg) {
                return real(f)->pMethods->xFileControl(real(f), op, arg);
            };
            made.xSectorSize = [](sqlite3_file* f) {
                return real(f)->pMethods->xSectorSize(real(f));
            };
            made.xDeviceCharacteristics = [](sqlite3_file* f) {
                return real(f)->pMethods->xDeviceCharacteristics(real(f));
            };
            return made;
        }();
        return all;
    }

    sqlite3_vfs* system_;
    sqlite3_vfs vfs_;
    Fault fault_{Operation::Sync, true, 0, 0};
    bool has_failed_ = false;
    int age_ = 0;
};

}  // namespace meshd
