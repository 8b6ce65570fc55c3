# Operator and gateway: the programs' files, Node.js and the four system libraries that it loads. No shell, no package
# manager, no other image underneath. `npm run images -- --contexts FOLDER` prepares the build context.
FROM scratch
COPY . /
USER 65532:65532
WORKDIR /app
ENV NODE_ENV=production
# Memory as of storage-node.Dockerfile; here nothing beside the heap is large.
ENV MALLOC_TRIM_THRESHOLD_=131072
# Each of Node.js's threads would keep what it has freed to itself.
ENV MALLOC_ARENA_MAX=2
# By itself V8 leaves the young generation at 1 MiB here, and a fifth of the operator's processor time goes into collecting it.
ENTRYPOINT ["/app/node", "--max-old-space-size-percentage=70", "--min-semi-space-size=4", "--max-semi-space-size=8"]
