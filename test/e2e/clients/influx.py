"""What an application does with the official Python clients, one call a run: prints one line of JSON.

write: influxdb-client (the v2 client), synchronous, with the defaults of its users.
query: influxdb (the v1 client), over /query, with the token as password.
"""
import json
import os
import sys
from urllib.parse import urlparse


def write(request):
    from influxdb_client import InfluxDBClient
    from influxdb_client.client.write_api import SYNCHRONOUS

    with InfluxDBClient(
        url=request["url"], token=request["token"], org=request["org"], ssl_ca_cert=request["ca"]
    ) as client:
        client.write_api(write_options=SYNCHRONOUS).write(bucket=request["bucket"], record=request["lines"])
    return {}


def query(request):
    from influxdb import InfluxDBClient

    url = urlparse(request["url"])
    os.environ["REQUESTS_CA_BUNDLE"] = request["ca"]
    client = InfluxDBClient(
        host=url.hostname,
        port=url.port,
        username=request.get("user", "token"),
        password=request["token"],
        database=request["database"],
        ssl=url.scheme == "https",
        verify_ssl=True,
    )
    try:
        result = client.query(request["query"])
    finally:
        client.close()
    return {"points": list(result.get_points())}


def main():
    request = json.load(sys.stdin)
    try:
        answer = {"write": write, "query": query}[request["call"]](request)
    except Exception as error:  # the test judges what the client made of the answer
        status = getattr(error, "status", None) or getattr(error, "code", None)
        answer = {"error": type(error).__name__, "status": status, "message": str(error)[:2000]}
    print(json.dumps(answer))


main()
