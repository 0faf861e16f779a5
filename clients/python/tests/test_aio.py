# SPDX-License-Identifier: Apache-2.0
"""The asyncio client against a daemon by script."""
import asyncio
import logging
import unittest
from unittest import mock

import meshd
from meshd import AsyncMesh, events

from fake_daemon import FakeDaemon, Refusal, alert

PATIENCE = 5


async def collect(subscription, number):
    got = []
    while len(got) < number:
        event = await subscription.get(PATIENCE)
        assert event is not None, f"{len(got)} events instead of {number}: {got}"
        got.append(event)
    return got


async def asked(daemon, method, number=1):
    """As FakeDaemon.wait_asked, without holding up the loop."""
    return await asyncio.get_running_loop().run_in_executor(None, daemon.wait_asked, method, number)


class AsyncMeshTest(unittest.IsolatedAsyncioTestCase):
    async def test_calls(self):
        with FakeDaemon(
            mesh__nodes=lambda p: {"nodes": []}, alerts__raise=lambda p: {"id": "x"},
            registry__put=lambda p: {"stored": len(p.get("entries", [0]))},
            registry__get=lambda p: {"entries": [{"embedding": {"f16": "ADwAAA=="}}], "next": None},
            registry__list=lambda p: {"entries": [{"hash": "a"}], "next": None if "after" in p else "x"},
            alerts__list=lambda p: {"alerts": [], "next": None},
            state__get=lambda p: {"state": {"zone": "yard"}}, state__update=lambda p: {"state": {}},
            registry__nearest=lambda p: {"matches": []}, search__query=lambda p: {"answers": []},
            notes__send=lambda p: {}, mesh__trace=lambda p: {"hops": []},
        ) as daemon:
            async with AsyncMesh(daemon.path) as mesh:
                self.assertEqual(await mesh.nodes(), [])
                self.assertEqual(await mesh.alert({"what": "smoke"}, priority="high"), {"id": "x"})
                await mesh.registry.put("h", "face", [1, 0])
                self.assertEqual(await mesh.registry.put_many([{"hash": "h", "type": "t"}]), 1)
                self.assertEqual((await mesh.registry.get("h"))[0]["embedding"], [1, 0])
                self.assertEqual(len(await mesh.registry.list()), 2)
                self.assertEqual([e["hash"] async for e in mesh.registry.iterate(limit=1)], ["a"])
                self.assertEqual(await mesh.registry.nearest([1, 0]), [])
                self.assertEqual(await mesh.alerts.list(), [])
                self.assertEqual(await mesh.state.get(), {"zone": "yard"})
                self.assertEqual(await mesh.shared.get("zone"), "yard")
                await mesh.shared.update({"a": 1})
                await mesh.search({"x": 1}, "person")
                await mesh.notes.send("b", {})
                self.assertEqual(await mesh.trace("b"), {"hops": []})
                with self.assertRaises(meshd.MethodNotFound):
                    await mesh.call("no.such")
                statuses = await asyncio.gather(*[mesh.status() for _ in range(50)])
                self.assertEqual({status["node_id"] for status in statuses}, {"fake"})

    async def test_timeouts_and_absence(self):
        with FakeDaemon(mesh__stats=lambda p: None) as daemon:
            async with AsyncMesh(daemon.path, timeout=0.05, reconnect=0.05) as mesh:
                with self.assertRaises(meshd.Timeout):
                    await mesh.stats()
                mesh.timeout = PATIENCE
                daemon.stop()
                with self.assertRaises(meshd.MeshError):
                    await mesh.alert({})
                with self.assertRaises(meshd.NoDaemon):
                    await mesh.status()
                daemon.start()
                await mesh.status()
        with self.assertRaises(meshd.NoDaemon):
            await AsyncMesh("/nowhere").connect()

    async def test_many_calls_at_once_take_turns(self):
        waiting = []

        def hold(params):
            waiting.append(params)

        with FakeDaemon(alerts__raise=hold) as daemon:
            async with AsyncMesh(daemon.path) as mesh:
                calls = [asyncio.ensure_future(mesh.alert({"n": i})) for i in range(200)]
                for done in range(200):
                    if done == len(waiting):
                        await asked(daemon, "alerts.raise", done + 1)
                    self.assertLessEqual(len(waiting) - done, 64)
                    # Ids count from 1, and nothing else was asked.
                    daemon.clients[0].send({"jsonrpc": "2.0", "id": done + 1, "result": {"id": str(done)}})
                await asyncio.wait_for(asyncio.gather(*calls), PATIENCE)

    async def test_a_call_that_may_have_taken_effect_is_not_repeated(self):
        with FakeDaemon(alerts__raise=lambda p: daemon.cut()) as daemon:
            async with AsyncMesh(daemon.path) as mesh:
                with self.assertRaises(meshd.Disconnected):
                    await mesh.alert({})
                self.assertEqual(len(daemon.asked("alerts.raise")), 1)

    async def test_events_go_on_after_a_reconnect_each_once(self):
        with FakeDaemon() as daemon:
            async with AsyncMesh(daemon.path) as mesh:
                subscription = await mesh.subscribe("alert")
                daemon.tell("alert", alert(1))
                await collect(subscription, 1)
                daemon.stop()
                daemon.tell("alert", alert(2))
                daemon.tell("alert", alert(1, replayed=True))
                daemon.start()
                await asked(daemon, "events.subscribe", 2)
                daemon.tell("alert", alert(3))
                self.assertEqual([e["seq"] for e in await collect(subscription, 2)], [2, 3])
                self.assertEqual(daemon.asked("events.subscribe")[1], {"kinds": ["alert"], "since": "c1"})

    async def test_a_slow_reader_costs_no_memory_and_misses_nothing(self):
        with mock.patch.object(events, "QUEUE_MAX", 10), FakeDaemon() as daemon:
            async with AsyncMesh(daemon.path) as mesh:
                subscription = await mesh.subscribe("alert")
                for i in range(100):
                    daemon.tell("alert", alert(i))
                await mesh.status()
                self.assertLessEqual(len(subscription._queue), 10)
                self.assertEqual([e["seq"] for e in await collect(subscription, 100)], list(range(100)))

    async def test_handlers_are_in_place_before_the_next_call(self):
        got = asyncio.Queue()
        with FakeDaemon() as daemon:
            mesh = AsyncMesh(daemon.path)

            @mesh.on("alert")
            async def first(event):
                await got.put(("first", event["seq"]))

            async with mesh:
                self.assertEqual(len(daemon.asked("events.subscribe")), 1)

                @mesh.on("alert")
                def second(event):
                    got.put_nowait(("second", event["seq"]))

                await mesh.status()
                self.assertEqual([method for method, _ in daemon.calls], ["events.subscribe"] * 2 + ["mesh.status"])
                daemon.tell("alert", alert(1))
                both = {await asyncio.wait_for(got.get(), PATIENCE) for _ in range(2)}
                self.assertEqual(both, {("first", 1), ("second", 1)})

    async def test_a_refused_handler_is_said(self):
        def refuse(_params):
            raise Refusal(-32602, "no such kind")

        with FakeDaemon(events__subscribe=refuse) as daemon:
            mesh = AsyncMesh(daemon.path)
            mesh.on("alrt")(print)
            with self.assertRaises(meshd.InvalidParams):
                await mesh.connect()
            await mesh.status()
            await mesh.close()

    async def test_a_failing_handler_goes_on(self):
        done = asyncio.Event()
        with FakeDaemon() as daemon, self.assertLogs("meshd", logging.ERROR):
            async with AsyncMesh(daemon.path) as mesh:
                @mesh.on("alert")
                async def take(event):
                    if event["seq"] == 1:
                        raise ValueError("a mistake")
                    done.set()

                await mesh.status()
                daemon.tell("alert", alert(1))
                daemon.tell("alert", alert(2))
                await asyncio.wait_for(done.wait(), PATIENCE)

    async def test_responders_answer_side_by_side(self):
        gate = asyncio.Event()
        request = {"search": "s1", "search_type": "person", "query": {"slow": True}, "source": "b",
                   "timeout_ms": 5000}
        with FakeDaemon(search__serve=lambda p: {}, search__answer=lambda p: {}) as daemon:
            async with AsyncMesh(daemon.path) as mesh:
                @mesh.serve("person")
                async def find(asked):
                    if asked.get("slow"):
                        await gate.wait()
                    return {"name": "Ann"}

                mesh.serve("car", lambda asked: [])
                await mesh.status()
                self.assertEqual(daemon.asked("search.serve")[-1], {"types": ["car", "person"]})
                daemon.tell("search.request", request)
                daemon.tell("search.request", dict(request, search="s2", query={}))
                first = await asked(daemon, "search.answer")
                self.assertEqual(first, [{"search": "s2", "results": [{"name": "Ann"}]}])
                gate.set()
                await asked(daemon, "search.answer", 2)
                daemon.stop()
                daemon.start()
                await asked(daemon, "search.serve", 3)

    async def test_closing_ends_waiting_calls_and_iterators(self):
        with FakeDaemon(mesh__stats=lambda p: None) as daemon:
            mesh = AsyncMesh(daemon.path)
            await mesh.connect()
            subscription = await mesh.subscribe("alert")

            async def listen():
                return [event async for event in subscription]

            listening = asyncio.ensure_future(listen())
            call = asyncio.ensure_future(mesh.stats())
            running = asyncio.ensure_future(mesh.run())
            await asked(daemon, "mesh.stats")
            await mesh.close()
            self.assertEqual(await asyncio.wait_for(listening, PATIENCE), [])
            with self.assertRaises(meshd.Disconnected):
                await call
            await asyncio.wait_for(running, PATIENCE)
            with self.assertRaises(meshd.Disconnected):
                await mesh.status()

    async def test_a_cancelled_wait_loses_no_event(self):
        with FakeDaemon() as daemon:
            async with AsyncMesh(daemon.path) as mesh:
                subscription = await mesh.subscribe("alert")
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(subscription.get(), 0.01)
                self.assertIsNone(await subscription.get(0.01))
                daemon.tell("alert", alert(1))
                self.assertEqual((await collect(subscription, 1))[0]["seq"], 1)


class LoopTest(unittest.TestCase):
    def test_a_mesh_made_outside_the_loop(self):
        with FakeDaemon() as daemon:
            mesh = AsyncMesh(daemon.path)

            async def main():
                async with mesh:
                    return await mesh.status()

            self.assertEqual(asyncio.run(main())["node_id"], "fake")


if __name__ == "__main__":
    unittest.main()
