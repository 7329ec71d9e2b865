FROM node:22-bookworm-slim AS builder
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 make g++ \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY src ./src
RUN npx tsc -p tsconfig.json && npm prune --omit=dev --no-audit --no-fund

FROM node:22-bookworm-slim
ENV NODE_ENV=production SLIPSTREAM_LISTEN=0.0.0.0:9490 SLIPSTREAM_DATA=/data
WORKDIR /app
COPY --from=builder /app/node_modules ./node_modules
COPY --from=builder /app/dist ./dist
COPY package.json LICENSE README.md CHANGELOG.md ./
COPY docs ./docs
RUN printf '#!/bin/sh\nexec node --single-threaded-gc --max-semi-space-size=2 /app/dist/src/main.js "$@"\n' > /usr/local/bin/slipstream \
    && chmod 755 /usr/local/bin/slipstream \
    && mkdir /data \
    && chown 65534:65534 /data
USER 65534
VOLUME /data
EXPOSE 9490
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["node", "-e", "fetch('http://127.0.0.1:9490/-/healthy').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["slipstream"]
CMD ["serve", "--config", "/etc/slipstream/slipstream.yaml"]
