// SPDX-License-Identifier: Apache-2.0
#include "cli/render.h"

#include <doctest/doctest.h>

#include "tests/cli/parsed.h"

namespace meshd::cli {
namespace {

TEST_CASE("render: status is a list a person reads from the top") {
    const auto document =
        parsed(R"({"node_id":"cam-1","instance":"00000000000000aa","version":"0.1.0",
        "mesh":"default","activity":"ACTIVE","uptime_s":11520,"security":"open","peers":2,
        "nodes_alive":5,"nodes_known":6,"left":false,
        "store":{"records":120,"bytes":34816,"coverage":"x","live":"y"},"warnings":["clock is off"]})");
    CHECK(render_status(document.root(), Style{}) ==
          "node      cam-1\n"
          "mesh      default, open: nothing is encrypted\n"
          "activity  ACTIVE\n"
          "boxes     5 alive of 6 known, this one included\n"
          "links     2\n"
          "store     120 records, 34 KiB\n"
          "uptime    3 h 12 min\n"
          "version   0.1.0\n"
          "warning   clock is off\n");
}

TEST_CASE("render: status says with which key the mesh is sealed, or that it is not") {
    const auto mesh_line = [](const char* members) {
        const auto document = parsed("{\"mesh\":\"m\"," + std::string(members) + "}");
        const std::string text = render_status(document.root(), Style{});
        const std::size_t begin = text.find("mesh ");
        return text.substr(begin, text.find('\n', begin) - begin);
    };
    CHECK(mesh_line(R"("security":"sealed","sealing":{"key":"1a098fca","links_sealed":2})") ==
          "mesh      m, sealed with key 1a098fca");
    CHECK(mesh_line(R"("security":"sealed","sealing":{"key":null})") ==
          "mesh      m, sealed, but without a key");
    CHECK(
        mesh_line(
            R"("security":"mixed","sealing":{"key":"1a098fca","links_sealed":2,"links_open":1})") ==
        "mesh      m, mixed with key 1a098fca: 2 of 3 links sealed");
}

TEST_CASE("render: status says what the store holds and whether it is on disk") {
    const auto text_of = [](const char* store) {
        const auto document = parsed("{\"store\":" + std::string(store) + "}");
        return render_status(document.root(), Style{});
    };
    const std::string good = text_of(
        R"({"records":120,"bytes":34816,"entries":80,"alerts":12,"shared":3,"tombstones":2,"durable":true,"unwritten":0,"streams_unheld":0})");
    const std::string one =
        text_of(R"({"records":1,"bytes":1,"entries":1,"alerts":1,"shared":1,"tombstones":1})");
    CHECK(one.find("1 record, 1 B: 1 entry, 1 alert, 1 shared, 1 tombstone\n") !=
          std::string::npos);
    CHECK(good.find("store     120 records, 34 KiB: 80 entries, 12 alerts, 3 shared, 2 tombstones\n"
                    "on disk   yes\n") != std::string::npos);
    CHECK(text_of(R"({"durable":true,"unwritten":5})").find("yes, 5 records not yet written\n") !=
          std::string::npos);
    const std::string bad = text_of(R"({"durable":false,"unwritten":1,"streams_unheld":2})");
    CHECK(bad.find("on disk   NO: kept in memory alone, 1 record not yet written\n"
                   "not held  2 streams of other boxes, for want of room\n") != std::string::npos);
}

TEST_CASE("render: status shows that this node has left") {
    const auto document = parsed(R"({"node_id":"cam-1","mesh":"default","left":true})");
    const std::string text = render_status(document.root(), Style{});
    CHECK(text.find("mesh      default, left\n") != std::string::npos);
}

TEST_CASE("render: status says in its second line that this box is cut off") {
    const auto document =
        parsed(R"({"node_id":"cam-1","mesh":"default","isolated":true,"isolated_ms":12000})");
    CHECK(render_status(document.root(), Style{})
              .starts_with("node      cam-1\nalone     cut off from all others for 12 s\n"));
    const auto in_mesh = parsed(R"({"node_id":"cam-1","isolated":false,"isolated_ms":null})");
    CHECK(render_status(in_mesh.root(), Style{}).find("cut off") == std::string::npos);
}

TEST_CASE("render: a forgotten box is named, and what stays of it") {
    const auto document = parsed(R"({"node_id":"cam-9","forgotten":true})");
    CHECK(render_forgotten(document.root(), Style{}) ==
          "forgot cam-9, here and on all boxes; its entries and alerts stay");
}

TEST_CASE("render: nodes mark this box and say why one is unreachable") {
    const auto document = parsed(R"({"nodes":[
        {"node_id":"cam-1","status":"alive","because":null,"activity":"ACTIVE","hops":0,"rtt_ms":null,"address":"10.0.0.1:9999","last_seen_ms":0,"restarting":false},
        {"node_id":"cam-2","status":"alive","because":null,"activity":"IDLE","hops":1,"rtt_ms":0.4,"address":"10.0.0.2:9999","last_seen_ms":120,"restarting":false},
        {"node_id":"cam-3","status":"unreachable","because":"cam-2","activity":"OFFLINE","hops":null,"rtt_ms":null,"address":null,"last_seen_ms":62000,"restarting":false},
        {"node_id":"cam-4","status":"left","because":null,"activity":"OFFLINE","hops":null,"rtt_ms":null,"address":null,"last_seen_ms":5000,"restarting":true}]})");
    CHECK(render_nodes(document.root(), Style{}) ==
          "NODE     STATUS                      ACTIVITY  HOPS     RTT    SEEN  ADDRESS\n"
          "cam-1 *  alive                       ACTIVE       0       -       -  10.0.0.1:9999\n"
          "cam-2    alive                       IDLE         1  0.4 ms  120 ms  10.0.0.2:9999\n"
          "cam-3    unreachable (behind cam-2)  OFFLINE      -       -   1 min  -\n"
          "cam-4    left (restarting)           OFFLINE      -       -   5.0 s  -\n");
}

TEST_CASE("render: nodes have a column of states where they were asked for") {
    const auto document =
        parsed(R"({"nodes":[{"node_id":"a","status":"alive","hops":0,"state":{"x":1}}]})");
    const std::string text = render_nodes(document.root(), Style{});
    CHECK(text.find("STATE") != std::string::npos);
    CHECK(text.find(R"({"x":1})") != std::string::npos);
}

TEST_CASE("render: an empty list of nodes is a table without rows") {
    const auto document = parsed(R"({"nodes":[]})");
    CHECK(render_nodes(document.root(), Style{}) ==
          "NODE  STATUS  ACTIVITY  HOPS  RTT  SEEN  ADDRESS\n");
}

TEST_CASE("render: one node in full") {
    const auto document =
        parsed(R"({"node_id":"cam-2","status":"alive","because":null,"activity":"IDLE",
        "hops":1,"rtt_ms":3,"address":"10.0.0.2:9999","last_seen_ms":120,"restarting":false,
        "version":"0.1.0","instance":"00000000000000aa","addresses":["10.0.0.2:9999","10.1.0.2:9999"],
        "links":["cam-1","cam-3"],"state":{"x":1}})");
    CHECK(render_node(document.root(), Style{}) ==
          "node       cam-2\n"
          "status     alive\n"
          "activity   IDLE\n"
          "hops       1\n"
          "rtt        3.0 ms\n"
          "seen       120 ms ago\n"
          "address    10.0.0.2:9999\n"
          "announced  10.0.0.2:9999, 10.1.0.2:9999\n"
          "links      cam-1, cam-3\n"
          "version    0.1.0\n"
          "instance   00000000000000aa\n"
          "state      {\"x\":1}\n");
}

TEST_CASE("render: peers show round trip, loss and what waits") {
    const auto document = parsed(R"({"peers":[
        {"node_id":"cam-2","address":"10.0.0.2:9999","rtt_ms":0.43,"loss":0,"up_for_s":3700,"queued":0,"cost_class":0,"suspect":false},
        {"node_id":"cam-3","address":"10.0.0.3:9999","rtt_ms":null,"loss":0.31,"up_for_s":2,"queued":7,"cost_class":1,"suspect":true}]})");
    CHECK(render_peers(document.root(), Style{}) ==
          "NODE   ADDRESS           RTT  LOSS  LINK               UP FOR  QUEUED\n"
          "cam-2  10.0.0.2:9999  0.4 ms   0 %  good            1 h 1 min       0\n"
          "cam-3  10.0.0.3:9999       -  31 %  lossy, suspect        2 s       7\n");
    CHECK(render_peers(parsed(R"({"peers":[]})").root(), Style{}) == "no links\n");
}

TEST_CASE("render: routes show the way") {
    const auto document = parsed(R"({"routes":[
        {"node_id":"cam-3","next_peer":"cam-2","hops":2,"cost":20,"path":["cam-2","cam-3"]}]})");
    CHECK(render_routes(document.root(), Style{}) ==
          "TO     VIA    HOPS  COST  PATH\n"
          "cam-3  cam-2     2    20  cam-2 > cam-3\n");
}

TEST_CASE("render: stats leave out what is zero") {
    const auto document = parsed(R"({"node_id":"cam-1","alerts_sent":3,"bytes_sent":2048,
        "counters":{"acks":5,"nothing":0},"drops":{"bad_tag":0}})");
    CHECK(render_stats(document.root(), Style{}) ==
          "node_id      cam-1\n"
          "alerts_sent  3\n"
          "bytes_sent   2048 (2.0 KiB)\n"
          "counters\n"
          "  acks  5\n");
}

TEST_CASE("render: alerts show age, priority, source and the text of a plain message") {
    const auto document = parsed(R"({"alerts":[
        {"id":"cam-1.0.2","source":"cam-1","priority":"critical","age_ms":2500,"alert":{"type":"intrusion"},"hops":2},
        {"id":"cam-2.0.1","source":"cam-2","priority":"low","age_ms":720000,"alert":{"message":"door open"},"hops":1}],"next":null})");
    CHECK(render_alerts(document.root(), Style{}) ==
          "   AGE  PRIORITY  SOURCE  HOPS  ALERT\n"
          " 2.5 s  critical  cam-1      2  {\"type\":\"intrusion\"}\n"
          "12 min  low       cam-2      1  door open\n");
    CHECK(render_alerts(parsed(R"({"alerts":[]})").root(), Style{}) == "no alerts\n");
}

TEST_CASE("render: alerts show their ttl where one is set") {
    const auto document = parsed(R"({"alerts":[
        {"source":"a","priority":"low","age_ms":1000,"ttl_ms":60000,"alert":{},"hops":0},
        {"source":"b","priority":"low","age_ms":1000,"ttl_ms":null,"alert":{},"hops":1}]})");
    CHECK(render_alerts(document.root(), Style{}) ==
          "  AGE    TTL  PRIORITY  SOURCE  HOPS  ALERT\n"
          "1.0 s  1 min  low       a          0  {}\n"
          "1.0 s      -  low       b          1  {}\n");
}

TEST_CASE("render: the shared state says who wrote what") {
    const auto document = parsed(
        R"({"state":{"mode":"night","limit":{"v":3}},"members":{"mode":{"by":"cam-1","age_ms":1000},"limit":{"by":"cam-2","age_ms":0}}})");
    CHECK(render_shared(document.root(), Style{}) ==
          "KEY    BY       AGE  VALUE\n"
          "mode   cam-1  1.0 s  night\n"
          "limit  cam-2   0 ms  {\"v\":3}\n");
    CHECK(render_shared(parsed(R"({"changed":[],"state":{}})").root(), Style{}) ==
          "nothing changed\nthe shared state is empty\n");
}

TEST_CASE("render: a state document is a list of its members") {
    const auto document = parsed(R"({"node_id":"cam-1","activity":"ACTIVE","age_ms":3000,
        "state":{"temperature":41.5,"camera":{"fps":25}}})");
    CHECK(render_state(document.root(), Style{}) ==
          "cam-1  ACTIVE, written 3.0 s ago\n"
          "  temperature  41.5\n"
          "  camera       {\"fps\":25}\n");
    CHECK(render_state(parsed(R"({"node_id":"a","activity":"IDLE","age_ms":0,"state":{}})").root(),
                       Style{}) == "a  IDLE, written 0 ms ago\n  (empty)\n");
}

TEST_CASE("render: a raised alert says who has it and who has not") {
    const auto raised = [](const char* text, bool has_waited) {
        const auto document = parsed(text);
        return render_raised(document.root(), has_waited);
    };
    CHECK(raised(R"({"id":"a.0.1","delivered":["b","c"],"pending":[]})", true) ==
          "a.0.1: delivered to 2 of 2 other boxes that are alive\n");
    CHECK(raised(R"({"id":"a.0.1","delivered":["b"],"pending":["c","d"]})", true) ==
          "a.0.1: delivered to 1 of 3 other boxes that are alive\npending: c, d\n");
    CHECK(raised(R"({"id":"a.0.1","delivered":["b"],"pending":[]})", true) ==
          "a.0.1: delivered to 1 of 1 other box that is alive\n");
    CHECK(raised(R"({"id":"a.0.1","delivered":[],"pending":["b","c"]})", false) ==
          "a.0.1: sent to 2 other boxes, not waited for\n");
    CHECK(raised(R"({"id":"a.0.1","delivered":[],"pending":[]})", true) ==
          "a.0.1: no other box is there to hear it\n");
    CHECK(raised(R"({"id":"a.0.1","durable":true,"repeated":false,"delivered":["b"],"pending":[]})",
                 true) == "a.0.1: delivered to 1 of 1 other box that is alive\nkept on disk\n");
    CHECK(raised(R"({"id":"a.0.1","durable":false,"repeated":true,"delivered":[],"pending":[]})",
                 true)
              .find("NOT on disk: ") != std::string::npos);
    CHECK(raised(R"({"id":"a.0.1","durable":true,"repeated":true,"delivered":[],"pending":[]})",
                 true) ==
          "a.0.1: repeated: an alert of this key is held already, and nothing was sent anew\n"
          "kept on disk\n");
}

}  // namespace
}  // namespace meshd::cli
