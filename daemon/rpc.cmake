# SPDX-License-Identifier: Apache-2.0
# The local API without sockets: handlers, waiting calls, events.
add_library(meshd_rpc STATIC
    rpc_event_ring.cpp
    rpc_events.cpp
    rpc_keys.cpp
    rpc_methods.cpp
    rpc_methods_config.cpp
    rpc_methods_notes.cpp
    rpc_methods_search.cpp
    rpc_methods_store.cpp
    rpc_print.cpp
    rpc_print_diagnosis.cpp
    rpc_print_notes.cpp
    rpc_print_search.cpp
    rpc_print_store.cpp
    rpc_registry.cpp
    rpc_service.cpp
    search_calls.cpp
    search_desk.cpp
    search_merge.cpp)
target_link_libraries(meshd_rpc PUBLIC meshd_options meshd_ipc meshd_proto)
