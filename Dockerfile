# The server as an image, for set-ups with a Redis and a PostgreSQL of their own.
#   docker build -t firstcome .

FROM rust:1.95-bookworm AS build
WORKDIR /build

# The dependencies are a layer of their own: it is built again only when these two files change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs \
    && cargo build --release --locked \
    && rm -r src

COPY build.rs ./
COPY docs/errors.md docs/errors.md
COPY lua lua
COPY src src
# Newer than the empty files above, or cargo would take those for the program.
RUN find src -name '*.rs' -exec touch {} + \
    && cargo build --release --locked

FROM debian:bookworm-slim
# The first process of a container must collect what health checks leave behind when they run out of
# time, and is deaf to SIGTERM until a program listens for it: tini does both.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home firstcome \
    && install -d -m 0700 -o 10001 -g 10001 /var/lib/firstcome
COPY --from=build /build/target/release/firstcome /usr/local/bin/firstcome
USER 10001

# What a server must remember over its own restart: see FIRSTCOME_DATA_DIR.
ENV FIRSTCOME_DATA_DIR=/var/lib/firstcome
VOLUME /var/lib/firstcome

# Both listeners are on loopback until FIRSTCOME_LISTEN and FIRSTCOME_ADMIN_LISTEN say otherwise:
# see docker-compose.yml. Publish 8081 to loopback only.
EXPOSE 8080 8081
STOPSIGNAL SIGTERM

# The image has no curl; bash can speak HTTP well enough for one line.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8081 && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]

ENTRYPOINT ["tini", "--", "firstcome"]
CMD ["serve"]
