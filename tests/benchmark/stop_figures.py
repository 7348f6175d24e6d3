# SPDX-License-Identifier: BSD-3-Clause
"""How long stop() takes under load, for each reader."""
import json
import os
import subprocess

import nic_figures


def latencies(build, stops):
    program = os.path.join(build, "tests", "stop_latency")
    out = subprocess.run([program, str(stops)], check=True, text=True, stdout=subprocess.PIPE,
                         env=nic_figures.environment(build)).stdout
    return [json.loads(line) for line in out.splitlines()]


def section(build, stops, table):
    def three(figures):
        return [f"{figures[each]:.0f}" for each in ("median", "p999", "max")]

    rows = [[row["reader"], row["place"], str(row["stops"]), *three(row["wall"]), *three(row["running"]),
             f"{row['within_1_ms']:.2%}", *three(row["release"])] for row in latencies(build, stops)]
    header = ["reader", "heaps go to", "stops", "median", "99.9 %", "max", "running: median", "99.9 %", "max",
              "within 1 ms", "release: median", "99.9 %", "max"]
    return f"""## How long a stop takes

A stream under full load is stopped by another thread after 1 to 1000 packets; stops that met no traffic are not counted. Its
reader runs on one thread, and what feeds it on another. In microseconds: the time until `stop()` returns; *running*, the same
less the time that the stopping and the receiving thread were ready to run and waited for a processor
(`/proc/self/task/*/schedstat`), which is the machine's share and not ours (a wait that began before the call is subtracted
whole, so that 0 means no more than that); *release*, the time from then until the reader has
left its groups and the account is final. *user* is a reader as a user writes one.

{table(header, rows)}
"""
