"""Applications that write all the time with the official v2 client, in batches, with the retries that it does by itself.

Standard input: a line of JSON {"url", "ca", "writers": [{"token", "org", "bucket"}]}, then one for each thing to write,
{"writer": 0, "lines": [...]}. Where it ends nothing more comes: what is under way is written or given up.
Standard output: a line of JSON for what became of a batch, with the numbers in its points' field `sequence`:
{"writer": 0, "outcome": "acknowledged" | "retried" | "given up", "sequences": [...], "why": "..."}
"""
import json
import re
import sys
from threading import Lock, Thread

from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import WriteOptions
from reactivex.scheduler import ThreadPoolScheduler

speaking = Lock()


def say(writer, outcome, data, error=None):
    sequences = [int(text) for text in re.findall(rb"\bsequence=(\d+)i", data)]
    said = {"writer": writer, "outcome": outcome, "sequences": sequences}
    if error is not None:
        said["why"] = f"{type(error).__name__}: {error}"[:2000]
    with speaking:
        print(json.dumps(said), flush=True)


def open_writer(settings, index):
    writer = settings["writers"][index]
    client = InfluxDBClient(
        url=settings["url"], token=writer["token"], org=writer["org"], ssl_ca_cert=settings["ca"]
    )
    # Small batches, so that there are many. Retries are as they come. The thread is not shared: by default all clients
    # of a process have one, and would wait for each other's retries as no two applications do.
    options = WriteOptions(
        batch_size=100, flush_interval=200, write_scheduler=ThreadPoolScheduler(max_workers=1)
    )
    return client.write_api(
        write_options=options,
        success_callback=lambda _, data: say(index, "acknowledged", data),
        retry_callback=lambda _, data, error: say(index, "retried", data, error),
        error_callback=lambda _, data, error: say(index, "given up", data, error),
    )


def main():
    settings = json.loads(sys.stdin.readline())
    buckets = [writer["bucket"] for writer in settings["writers"]]
    writers = [open_writer(settings, index) for index in range(len(buckets))]
    for line in sys.stdin:
        work = json.loads(line)
        writers[work["writer"]].write(bucket=buckets[work["writer"]], record=work["lines"])
    ends = [Thread(target=writer.close) for writer in writers]
    for end in ends:
        end.start()
    for end in ends:
        end.join()


main()
