#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# meshd from a shell script, with socat and jq alone: who is there, an alert to all, and events as they come.
# MESHD_SOCKET names the socket.
set -eu
socket=${MESHD_SOCKET:-/run/meshd/meshd.sock}

# call METHOD [PARAMS]: prints the result; an error goes to standard error, and fails.
call() {
    params=${2:-}
    jq -nc --arg method "$1" --argjson params "${params:-null}" '{jsonrpc: "2.0", id: 1, $method} + if $params then {$params} else {} end' |
        socat -t70 - "UNIX-CONNECT:$socket" |
        jq -e 'if .error then (.error | "\(.message) (\(.code))\n" | halt_error(1)) else .result end'
}

# events KINDS SECONDS: a line for each event, as it comes.
events() {
    jq -nc --argjson kinds "$1" '{jsonrpc: "2.0", id: 1, method: "events.subscribe", params: {$kinds}}' |
        socat "-t$2" - "UNIX-CONNECT:$socket" |
        jq --unbuffered -rc 'select(.method == "event") | .params | "\(.kind) \(.data.alert // .data)"'
}

call mesh.nodes | jq -r '.nodes[] | "\(.node_id) \(.status) \(.hops) hops"'

events '["alert"]' 2 &
listener=$!
sleep 0.5
call alerts.raise '{"alert": {"what": "smoke"}, "priority": "high", "wait_ms": 2000}' |
    jq -r '"delivered to \(.delivered | join(", "))"'
wait "$listener"

call state.update '{"patch": {"zone": "yard"}}' >/dev/null
call state.get | jq -c .state
