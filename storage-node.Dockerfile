# Storage node: as the other image, and DuckDB with the extension that it needs for encrypted Parquet.
FROM scratch
COPY . /
USER 65532:65532
WORKDIR /app
ENV NODE_ENV=production
# Freed blocks go back to the system and are not kept in case they are needed again.
ENV MALLOC_TRIM_THRESHOLD_=131072
ENV HOLDFAST_QUERY_PROCESS=/app/query-process.js
ENV HOLDFAST_DUCKDB_EXTENSION=/app/extensions/httpfs.duckdb_extension
# V8's heap by the pod's memory limit, which V8 itself does below 512 MiB no more, and room for what lives shortly:
# docs/decisions/0008-memory-of-an-idle-node.md.
ENTRYPOINT ["/app/node", "--max-old-space-size-percentage=50", "--max-semi-space-size=8"]
