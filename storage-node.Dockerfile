# Storage node: as the other image, and DuckDB with the extension that it needs for encrypted Parquet.
FROM scratch
COPY . /
USER 65532:65532
WORKDIR /app
ENV NODE_ENV=production
ENV HOLDFAST_QUERY_PROCESS=/app/query-process.js
ENV HOLDFAST_DUCKDB_EXTENSION=/app/extensions/httpfs.duckdb_extension
ENTRYPOINT ["/app/node"]
