# SPDX-License-Identifier: Apache-2.0
# The database without loop and log. The only user of SQLite.
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.40)
add_library(meshd_storage STATIC
    storage_backup.cpp
    storage_database.cpp
    storage_files.cpp
    storage_load.cpp
    storage_recovery.cpp
    storage_row_index.cpp
    storage_rows.cpp
    storage_schema.cpp
    storage_sqlite.cpp
    storage_worker.cpp)
target_link_libraries(meshd_storage PUBLIC meshd_options meshd_proto PkgConfig::SQLITE Threads::Threads)
