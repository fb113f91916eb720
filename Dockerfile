# One gateway of one city. Mount: /config (with federation-config/ and certs/ in it, read-only), /keys (private keys, read-only)
# and the data volume /data, all of them for user 1000. The root file system can be read-only.
FROM node:26-bookworm-slim

ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force
COPY src ./src
COPY federation-config ./federation-config
COPY certs ./certs
# The demo, so that the image can show itself: docker run --rm --tmpfs /tmp xinqiao demo
COPY demo ./demo
RUN mkdir /data /app/compiled && chown node:node /data /app/compiled

USER node
VOLUME /data
ENV XINQIAO_CONFIG=/config/federation-config \
    XINQIAO_CERTS=/config/certs \
    XINQIAO_KEYS=/keys \
    XINQIAO_DATA=/data
EXPOSE 8443
# What the engine makes of each file is kept in the image: a start takes a third less time, and a gateway 20 MB less. It is
# kept for each way to start, by user and flags, and nobody may change it afterwards.
ENV NODE_COMPILE_CACHE=/app/compiled
RUN all='import { globSync } from "node:fs"; for (const file of globSync("src/**/*.ts", { exclude: ["src/cli.ts"] })) await import(`/app/${file}`)' \
  && node --input-type=module --eval "$all" && node src/cli.ts help >/dev/null \
  && set -- --max-semi-space-size=16 --heap-growing-percent=25 --no-parallel-scavenge --no-maglev --v8-pool-size=1 \
  && node "$@" --input-type=module --eval "$all" && node "$@" src/cli.ts help >/dev/null \
  && chmod -R a-w /app/compiled
# The inside surface listens on loopback unless it has its own certificate, so health is asked from within.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["node", "src/cli.ts", "health"]
# How the heap grows: src/process.ts says why.
ENTRYPOINT ["node", "--max-semi-space-size=16", "--heap-growing-percent=25", "--no-parallel-scavenge", \
  "--no-maglev", "--v8-pool-size=1", "src/cli.ts"]
CMD ["serve"]
