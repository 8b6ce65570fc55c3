"""Reads every Parquet file of a data folder, with the data key and nothing of Holdfast's.

    pip install duckdb cryptography zstandard
    python3 read-parquet.py DATA_FOLDER KEY_FILE [ORGANIZATION_ID]

Prints a line of JSON for each file: what it holds, its rows and times, values by field, rows by series.
"""
import base64, hashlib, json, pathlib, sys
import duckdb, zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

data = pathlib.Path(sys.argv[1])
organization = sys.argv[3] if len(sys.argv) > 3 else (data / 'organization-id').read_text().split()[0]
keys = [base64.b64decode(line) for line in pathlib.Path(sys.argv[2]).read_text().split()]
derive = lambda key, info: HKDF(SHA256(), 32, None, info).derive(key)
key_id = lambda key: hashlib.sha256(derive(key, b'holdfast key id')).digest()[:8]
sealing_keys = {key_id(key): AESGCM(derive(key, b'holdfast sealing key')) for key in keys}

def unseal(purpose, sealed):
    associated = f'holdfast/1/{organization}/{purpose}'.encode()
    return sealing_keys[sealed[1:9]].decrypt(sealed[9:21], sealed[21:], associated)

def file_key(entry):
    return unseal(f"files/{entry['name']}", base64.b64decode(entry['sealedKey']))

manifest = json.loads(unseal('manifest', (data / 'engine/manifest').read_bytes()[16:]))
series, fields = {}, {}
for entry in manifest['dictionaries']:
    content, database = (data / 'engine/files' / entry['name']).read_bytes(), entry['databaseId']
    plain = AESGCM(file_key(entry)).decrypt(content[:12], content[12:], None)
    dictionary = json.loads(zstandard.decompress(plain))
    series.setdefault(database, []).extend(json.loads(key or '[""]') for key in dictionary['series'])
    for measurement, name, kind in dictionary['fields']:
        fields.setdefault((database, measurement), []).append(name)

def kept(entry, rows):
    """What deletes have left of a file that was written before them."""
    for tombstone in manifest['tombstones']:
        is_newer = tombstone['position'] > max(entry['lastPosition'], entry.get('deletedThrough', 0))
        names = ('databaseId', 'retentionPolicy', 'measurement')
        if is_newer and all(tombstone[name] in (None, entry[name]) for name in names):
            runs = tombstone['series'] or [0, 2**32 - 1]
            of_series = ' OR '.join(f'series BETWEEN {runs[i]} AND {runs[i + 1]}' for i in range(0, len(runs), 2))
            times = "'{minTimeNs}'::BIGINT AND '{maxTimeNs}'::BIGINT".format(**tombstone)
            rows = rows.filter(f'NOT (time BETWEEN {times} AND ({of_series}))')
    return rows

for entry in manifest['files']:
    name, database, measurement = entry['name'], entry['databaseId'], entry['measurement']
    path = str(data / 'engine/files' / name).replace("'", "''")
    duckdb.execute(f"PRAGMA add_parquet_key('{name}', '{base64.b64encode(file_key(entry)).decode()}')")
    table = duckdb.sql(f"FROM read_parquet('{path}', encryption_config = {{footer_key: '{name}'}})")
    table = kept(entry, table)
    counts = 'count(*), min(time), max(time), count(columns(* EXCLUDE (series, time)))'
    rows, first, last, *values = table.aggregate(counts).fetchone()
    names = [fields[database, measurement][int(column[1:])] for column in table.columns[2:]]
    by_series = table.aggregate('series, count(*)').order('series').fetchall()
    print(json.dumps({
        'file': name, 'database': database, 'retentionPolicy': entry['retentionPolicy'],
        'measurement': measurement, 'rows': rows, 'minTimeNs': str(first), 'maxTimeNs': str(last),
        'values': dict(zip(names, values)),
        'series': [{'tags': series[database][number][1:], 'rows': count} for number, count in by_series],
    }))
