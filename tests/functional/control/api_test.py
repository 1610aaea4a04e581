#!/usr/bin/env python3
"""Every operation of the control API, held against openapi.yaml."""

import concurrent.futures
import os
import re
import stat
import threading
import time

import control_client
from control_client import SOURCE, Api, ControlTest, Events, call

SLOW = {"restore": {"delay": "60s", "daemon": True}}


class Description(ControlTest):
    """The table of the server and the file have the same rows."""

    def test_routes(self):
        rows = set(re.findall(r'Route\{(kGet|kPost), "([^"]+)", (kLook|kAct), "([^"]+)",\s*"([^"]+)"',
                              (SOURCE / "agent/control/routes.cc").read_text()))
        self.assertGreater(len(rows), 15)
        words = {"kGet": "GET", "kPost": "POST", "kLook": "viewer", "kAct": "operator"}
        served = {(words[method], path, words[access], operation)
                  for method, path, access, operation, _ in rows}
        described = {(method, path, operation["x-access"], operation["operationId"])
                     for method, path, operation in Api().operations()}
        self.assertEqual(served, described)
        actions = {operation: action for *_, operation, action in rows}
        for _, _, operation in Api().operations():
            if "x-audit" in operation:
                self.assertEqual(actions[operation["operationId"]], operation["x-audit"])

    def test_examples(self):
        api = Api()
        for method, path, operation in api.operations():
            content = operation.get("requestBody", {}).get("content", {})
            for body in content.values():
                self.assertEqual(api.mistakes(body["example"], body["schema"]), [],
                                 f"{method} {path}")


class Operations(ControlTest):
    def test_all(self):
        self.host.config["targets"] = []
        self.host.add_fake(objectives={"rto": "1h"}, schedules=[
            {"name": "rad", "cron": "0 6 2 * *", "depth": "restore"},
            {"name": "daily", "cron": "30 3 * * *", "depth": "verify"}])
        self.host.add_fake("slow", SLOW)
        server = self.serve()

        status = self.ask("GET", "/v1/status")
        self.assertEqual((status["targets"], status["schedules"]), (2, 3))
        self.assertEqual(status["config_error"], "")
        targets = self.ask("GET", "/v1/targets")["targets"]
        self.assertEqual([target["name"] for target in targets], ["t", "slow"])
        self.assertEqual(self.ask("GET", "/v1/targets/t")["restore_plugin"], "fake")
        self.refused("GET", "/v1/targets/sloww", 404, says="did you mean 'slow'?")
        self.assertEqual(self.ask("GET", "/v1/targets/t/backups")["target"], "t")
        self.refused("GET", "/v1/targets/none/backups", 404)
        schedules = self.ask("GET", "/v1/schedules")["schedules"]
        self.assertEqual([row["schedule"] for row in schedules], ["rad", "daily", "rad"])
        plugins = self.ask("GET", "/v1/plugins")["plugins"]
        self.assertEqual([plugin["name"] for plugin in plugins], ["fake"])

        pause = self.ask("POST", "/v1/schedules/pause",
                         {"target": "t", "until": "4h", "reason": "moving"})
        self.assertEqual((pause["target"], pause["schedule"], pause["owner"], pause["reason"]),
                         ("t", "*", "root", "moving"))
        self.assertEqual(self.ask("GET", "/v1/status")["pauses"], [pause])
        self.assertEqual(self.ask("POST", "/v1/schedules/resume", {"target": "t"}),
                         {"target": "t", "schedule": "*"})
        self.assertEqual(self.ask("GET", "/v1/status")["pauses"], [])
        self.refused("POST", "/v1/schedules/resume", 400, body={"target": "t"})

        started = self.start_run(depth="restore")
        self.assertEqual(started["state"], "started")
        run = started["run_id"]
        events = Events(self.socket, f"/v1/runs/{run}/events")
        self.assertEqual(events.answer.getheader("Content-Type"), "text/event-stream")
        seen = self.check_events(list(events))
        self.assertEqual(seen[-1], "end")
        self.assertIn("stage", seen)
        report = self.wait_for_end(run)
        self.assertEqual((report["verdict"], report["requested_by"], report["request_note"]),
                         ("pass", "root", "a test"))
        page = self.ask("GET", f"/v1/runs/{run}/log")
        self.assertTrue(page["ended"])
        again = list(Events(self.socket, f"/v1/runs/{run}/events"))
        self.assertEqual([event["event"] for event in again], ["end"])
        self.assertEqual(again[0]["data"]["verdict"], "pass")

        slow = self.start_run("slow")["run_id"]
        waiting = self.start_run("slow", hold="1h")
        self.assertEqual((waiting["state"], waiting["behind_run"]), ("queued", slow))
        self.assertEqual(self.start_run("slow", if_busy="attach")["run_id"], slow)
        self.refused("POST", "/v1/runs", 409, "target_busy",
                     {"target": "slow", "reason": "x", "if_busy": "refuse"})
        status = self.ask("GET", "/v1/status")
        self.assertEqual([row["id"] for row in status["running"]], [slow])
        self.assertEqual([row["id"] for row in status["waiting"]], [waiting["run_id"]])
        self.refused("GET", f"/v1/runs/{waiting['run_id']}", 404, says="has not begun")
        self.ask("GET", f"/v1/runs/{waiting['run_id']}/log")
        queued = iter(Events(self.socket, f"/v1/runs/{waiting['run_id']}/events"))
        self.assertEqual(next(queued)["event"], "waiting")
        cancelled = self.ask("POST", f"/v1/runs/{waiting['run_id']}/cancel", {"reason": "no"}, 202)
        self.assertEqual(cancelled, {"run_id": waiting["run_id"]})
        self.assertNotIn("end", [event.get("event") for event in queued])
        self.ask("POST", f"/v1/runs/{slow}/cancel", {"reason": "enough"}, 202)
        self.assertEqual(self.wait_for_end(slow)["verdict"], "cancelled")
        self.refused("POST", f"/v1/runs/{slow}/cancel", 400, body={"reason": "x"}, says="ended")
        self.refused("POST", "/v1/runs/nothing/cancel", 404, body={"reason": "x"})
        for what in ("", "/log", "/events"):
            self.refused("GET", f"/v1/runs/nothing{what}", 404)

        first = self.ask("GET", "/v1/runs?limit=1")
        self.assertEqual([row["id"] for row in first["runs"]], [slow])
        second = self.ask("GET", f"/v1/runs?limit=1&before={first['next_before']}")
        self.assertEqual([row["id"] for row in second["runs"]], [run])
        self.assertIsNone(second["next_before"])
        self.assertEqual(
            [row["id"] for row in self.ask("GET", "/v1/runs?verdict=pass&depth=restore")["runs"]],
            [run])
        self.refused("GET", "/v1/runs?before=nothing", 400)

        self.assertEqual(self.ask("GET", "/v1/holds"), {"holds": []})
        self.refused("POST", f"/v1/holds/{run}/open", 404)
        self.refused("POST", f"/v1/holds/{run}/release", 404)

        self.assertEqual(self.ask("POST", "/v1/reload"), {"targets": 2, "schedules": 3})
        self.host.config["targets"].pop()
        self.host.write_config()
        self.assertEqual(self.ask("POST", "/v1/reload"), {"targets": 1, "schedules": 2})
        self.host.config["agent"]["no_such_key"] = 1
        self.host.write_config()
        self.refused("POST", "/v1/reload", 400)
        self.assertNotEqual(self.ask("GET", "/v1/status")["config_error"], "")
        # Whoever asks while one goes on shares the next; all of them are answered.
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: call(self.socket, "POST", "/v1/reload"), range(8)))
        self.assertEqual([answer.status for answer in answers], [400] * 8)
        self.assertEqual(len(self.ask("GET", "/v1/targets")["targets"]), 1)

        self.check_audit(run, slow, waiting["run_id"])
        self.ask("GET", "/v1/restores?from=2020-01-01T00:00:00Z&to=2120-01-01T00:00:00Z")
        self.ask("GET", "/v1/missed?from=2020-01-01T00:00:00Z&to=2120-01-01T00:00:00Z")
        self.stop(server)
        everything = {operation["operationId"] for _, _, operation in self.api.operations()}
        # Events are no JSON; holds of real instances are tested where there are some.
        self.assertEqual(everything - {name for name, status in self.calls if status < 300},
                         {"followRun", "openHold", "releaseHold"})

    def check_events(self, events):
        schemas = {"stage": "EventStage", "progress": "EventProgress", "log": "EventLog",
                   "waiting": "EventWaiting", "end": "EventEnd"}
        number = 0
        for event in events:
            if "comment" in event:
                continue
            self.assertEqual(self.api.mistakes(event["data"], {
                "$ref": f"#/components/schemas/{schemas[event['event']]}"}), [], event)
            if "id" in event:
                self.assertGreater(int(event["id"]), number)
                number = int(event["id"])
        return [event["event"] for event in events if "event" in event]

    def check_audit(self, run, slow, waiting):
        entries = self.ask("GET", "/v1/audit?limit=1000")["entries"]
        done = [(entry["action"], entry["subject"], entry["note"]) for entry in reversed(entries)]
        for expected in (("schedule.pause", "t/*", "moving"), ("schedule.resume", "t/*", ""),
                         ("run.start", "t", "a test"), ("run.start", "slow", "a test"),
                         ("run.cancel", waiting, "no"), ("run.cancel", slow, "enough"),
                         ("reload", "", "")):
            self.assertIn(expected, done, run)
        self.assertTrue(all(entry["allowed"] and entry["user"] == "root" for entry in entries))
        page = self.ask("GET", "/v1/audit?limit=2")
        self.assertEqual([entry["id"] for entry in page["entries"]],
                         [entry["id"] for entry in entries[:2]])
        rest = self.ask("GET", f"/v1/audit?limit=1000&before={page['next_before']}")
        self.assertEqual(rest["entries"], entries[2:])

    def test_following_goes_on_where_it_was_cut(self):
        self.host.add_fake(script={"restore": {"delay": "2s"}})
        server = self.serve()
        run = self.start_run()["run_id"]
        events = Events(self.socket, f"/v1/runs/{run}/events")
        first = next(iter(events))
        events.close()
        rest = list(Events(self.socket, f"/v1/runs/{run}/events",
                           {"Last-Event-ID": first["id"]}))
        self.assertGreater(int(rest[0]["id"]), int(first["id"]))
        self.assertEqual(rest[-1]["event"], "end")
        also = list(Events(self.socket, f"/v1/runs/{run}/events?after={first['id']}"))
        self.assertEqual(also[-1]["event"], "end")
        self.stop(server)

    def test_many_follow_one_run(self):
        self.host.add_fake(script={"restore": {"delay": "2s"}})
        server = self.serve()
        run = self.start_run()["run_id"]
        ends = []

        def follow():
            ends.append(list(Events(self.socket, f"/v1/runs/{run}/events"))[-1]["data"]["verdict"])

        threads = [threading.Thread(target=follow) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(ends, ["pass"] * 50)
        self.stop(server)

    def test_a_run_of_another_process_is_followed(self):
        self.host.add_fake(script={"restore": {"delay": "3s"}})
        server = self.serve()
        beside = self.host.start("run", "t", "--json")
        beside.wait_for("restore: started")
        run = self.ask("GET", "/v1/runs")["runs"][0]["id"]
        events = list(Events(self.socket, f"/v1/runs/{run}/events"))
        self.assertEqual(self.check_events(events)[-1], "end")
        self.check_report(beside.end(), "pass")
        (restore,) = self.ask("GET", "/v1/restores?from=2020-01-01T00:00:00Z"
                              "&to=2120-01-01T00:00:00Z")["restores"]
        self.assertEqual((restore["target"], restore["run_id"]), ("t", run))
        self.assertGreater(restore["measured_rto_seconds"], 1)
        for query in ("", "?from=2020-01-01T00:00:00Z", "?from=yesterday&to=2120-01-01T00:00:00Z"):
            self.refused("GET", "/v1/restores" + query, 400)
        self.stop(server)

    def test_stop_cuts_followers_off(self):
        self.host.add_fake(script=SLOW)
        server = self.serve()
        run = self.start_run()["run_id"]
        events = iter(Events(self.socket, f"/v1/runs/{run}/events"))
        next(events)
        before = time.monotonic()
        self.stop(server)
        self.assertLess(time.monotonic() - before, 60)
        for _ in range(1000):
            try:
                next(events)
            except Exception:  # pylint: disable=broad-except
                break
        else:
            self.fail("the stream goes on")


class Strictness(ControlTest):
    def setUp(self):
        super().setUp()
        self.host.add_fake()
        self.server = self.serve()

    def test_bodies(self):
        good = {"target": "t", "reason": "x"}
        for body, says in (
                ({**good, "dept": "verify"}, "did you mean 'depth'?"),
                ({**good, "depth": "deep"}, "expected one of inspect, verify, restore"),
                ({**good, "depth": "verfy"}, "did you mean 'verify'?"),
                ({**good, "depth": 3}, "field 'depth' is int64"),
                ({**good, "hold": "4 hours"}, "for example 90s"),
                ({**good, "hold": "400d"}, "a duration of at most 30d"),
                ({**good, "hold": "1h", "depth": "verify"}, "needs depth restore"),
                ({**good, "if_busy": "wait"}, "expected one of queue, attach, refuse"),
                ({**good, "target": "tt"}, "there is no target 'tt'"),
                ({**good, "target": "a\nb"}, "one line"),
                ({"target": "t"}, "field 'reason' is missing"),
                ({**good, "reason": "  "}, "field 'reason' is empty"),
                ({**good, "reason": "x" * 501}, "expected at most 500"),
                ({"reason": "x"}, "field 'target' is missing"),
                ([], "not a JSON object"), ("{", "the body of the request"),
                ("[" * 1000, "the body of the request"),
                (b'{"target": "\xff"}', "the body of the request"), ("", "is missing")):
            with self.subTest(body=str(body)[:100]):
                self.refused("POST", "/v1/runs", 400, body=body, says=says)
        for body in ({"reason": "x", "until": "yesterday"}, {"reason": "x", "until": "0s"},
                     {"reason": "x", "until": "2001-01-01T00:00:00Z"},
                     {"reason": "x", "until": "1000w"}, {"reason": "x", "target": "none"}, {}):
            with self.subTest(body=body):
                self.refused("POST", "/v1/schedules/pause", 400, body=body)
        self.refused("POST", "/v1/reload", 400, body={"force": True})
        self.assertEqual(self.ask("GET", "/v1/runs")["runs"], [])
        self.assertEqual(self.ask("GET", "/v1/status")["waiting"], [])
        self.refused("POST", "/v1/runs", 413, body={"target": "t", "reason": "x" * 70000})

    def test_queries_and_paths(self):
        for target, status in (
                ("/v1/runs?limit=0", 400), ("/v1/runs?limit=1001", 400), ("/v1/runs?limit=x", 400),
                ("/v1/runs?limit=-1", 400), ("/v1/runs?limit=1&limit=2", 400),
                ("/v1/runs?lmit=1", 400), ("/v1/runs?depth=deep", 400), ("/v1/runs?%zz", 400),
                ("/v1/runs?target=%00", 400), ("/v1/status?x=1", 400),
                ("/v1/audit?before=x", 400), ("/v1/runs/x/log?after=-1", 400), ("/", 404),
                ("/v1", 404), ("/v2/status", 404), ("/v1/status/", 404), ("/v1//status", 404),
                ("/v1/targets/", 404), ("/v1/targets/%2e%2e", 404), ("/v1/targets/a%2Fb", 404),
                ("/v1/runs/%zz", 404), ("/v1/targets/" + "x" * 3000, 404)):
            with self.subTest(target[:100]):
                self.refused("GET", target, status)
        self.assertEqual(self.ask("GET", "/v1/targets/%74")["name"], "t")
        for method, target, allowed in (("DELETE", "/v1/runs", "GET, POST"),
                                        ("POST", "/v1/status", "GET"), ("GET", "/v1/reload", "POST"),
                                        ("PUT", "/v1/runs/x", "GET")):
            answer = call(self.socket, method, target)
            self.assertEqual((answer.status, answer.headers["Allow"]), (405, allowed))
        head = call(self.socket, "HEAD", "/v1/status")
        self.assertEqual((head.status, head.text), (200, ""))


class SocketFile(ControlTest):
    def test_replaced_only_if_nobody_listens(self):
        self.host.add_fake()
        server = self.serve()
        self.assertEqual(stat.S_IMODE(os.stat(self.socket).st_mode), 0o666)
        self.host.config["agent"]["state_dir"] = str(self.host.top / "state2")
        second = self.host.start("serve").end()
        self.assertEqual(second.status, 3, second)
        self.assertIn("another program listens", second.stderr)
        self.assertIn("hint: ", second.stderr)
        self.host.config["agent"]["state_dir"] = str(self.host.state)
        self.ask("GET", "/v1/status")
        server.signal(control_client.agent_under_test.signal.SIGKILL)
        server.end()
        self.assertTrue(self.socket.exists())
        server = self.serve()
        self.ask("GET", "/v1/status")
        self.stop(server)
        self.socket.write_text("mine")
        third = self.host.start("serve").end()
        self.assertEqual(third.status, 3, third)
        self.assertIn("is not a socket", third.stderr)
        self.assertEqual(self.socket.read_text(), "mine")

    def test_inherited_from_the_service_manager(self):
        self.host.add_fake()
        self.host.write_config()
        listener = control_client.socket.socket(control_client.socket.AF_UNIX)
        listener.bind(str(self.socket))
        listener.listen()
        agent = control_client.agent_under_test.BUILD / "bin" / "rad-agent"
        command = (f'exec 3<&{listener.fileno()}; export LISTEN_PID=$$ LISTEN_FDS=1; '
                   f'exec "{agent}" serve --config "{self.host.config_file}"')
        for _ in range(2):
            # Asked before the agent is there: answered when it is.
            answers = []
            asker = threading.Thread(
                target=lambda: answers.append(call(self.socket, "GET", "/v1/status")))
            asker.start()
            with control_client.subprocess.Popen(
                    ["bash", "-c", command], pass_fds=[listener.fileno()],
                    stderr=control_client.subprocess.PIPE, text=True) as server:
                self.addCleanup(lambda server=server: server.poll() is None and server.kill())
                asker.join(60)
                self.assertEqual([answer.status for answer in answers], [200])
                self.ask("GET", "/v1/status")
                server.terminate()
                self.assertEqual(server.wait(60), 0, server.stderr.read())
            self.assertTrue(self.socket.exists())
        listener.close()


if __name__ == "__main__":
    control_client.agent_under_test.main()
