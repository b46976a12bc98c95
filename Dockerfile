# Builds the program, with the packages that it needs and no others.
FROM node:22-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && npm prune --omit=dev --ignore-scripts && find node_modules dist -name '*.map' -delete

# Backups are checked and proved by booting them: only a server that is not older than the one guarded can read its files.
FROM redis:8-trixie AS redis

FROM node:22-trixie-slim
LABEL org.opencontainers.image.title="Rekindle" \
      org.opencontainers.image.description="Notices within milliseconds that a Redis has lost its data, and restores it from PostgreSQL" \
      org.opencontainers.image.licenses="MIT"
RUN apt-get update \
  && apt-get install -y --no-install-recommends libssl3t64 ca-certificates \
  && rm -rf /var/lib/apt/lists/* \
  && mkdir -p /var/lib/rekindle/backups \
  && chown -R node:node /var/lib/rekindle
COPY --from=redis /usr/local/bin/redis-server /usr/local/bin/redis-check-rdb /usr/local/bin/redis-check-aof /usr/local/bin/
COPY --from=redis /usr/local/lib/redis/modules /usr/local/lib/redis/modules
# Fails here, and not at the first backup, if these libraries are not those that the server was linked with.
RUN redis-server --version && redis-check-rdb --version
WORKDIR /app
ENV NODE_ENV=production
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
COPY config config
RUN ln -s /app/dist/main.js /usr/local/bin/rekindle && chmod +x dist/main.js
USER node
VOLUME /var/lib/rekindle
EXPOSE 9808
STOPSIGNAL SIGTERM
# The process lives and its loops turn; whether Redis is whole is another question, which `rekindle wait` answers.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9808/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["rekindle"]
CMD ["watch"]
