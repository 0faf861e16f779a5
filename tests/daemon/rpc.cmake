# SPDX-License-Identifier: Apache-2.0
meshd_test(NAME rpc LABEL unit
    SOURCES rpc_config_test.cpp rpc_events_test.cpp rpc_keys_test.cpp rpc_notes_test.cpp
        rpc_print_diagnosis_test.cpp rpc_print_test.cpp rpc_search_test.cpp
        rpc_service_events_test.cpp rpc_service_registry_test.cpp rpc_service_test.cpp
        rpc_service_waiting_test.cpp search_desk_test.cpp search_merge_test.cpp
    LIBS meshd_rpc)
target_compile_definitions(rpc_tests PRIVATE MESHD_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
