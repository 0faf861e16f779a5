# SPDX-License-Identifier: Apache-2.0
meshd_test(NAME rpc LABEL unit
    SOURCES rpc_events_test.cpp rpc_print_test.cpp rpc_service_test.cpp
    LIBS meshd_rpc)
target_compile_definitions(rpc_tests PRIVATE MESHD_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
