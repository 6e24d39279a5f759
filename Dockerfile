# Two stages: dependencies are installed hash-checked in the first, the second has no compiler, no pip cache and no
# root. One image, three commands: the vault and the fronts run as containers of their own and share the run directory.
#
#   docker build -t sealdraw .
#   docker run --user 65534 -v data:/data sealdraw serve --config /data/sealdraw.toml            # everything, supervised
#   docker run --network none -v data:/data sealdraw-vault …                                     # see deploy/compose.yaml
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 python3-venv ca-certificates \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements-server.txt pyproject.toml README.md LICENSE ./
RUN python3 -m venv /opt/sealdraw \
 && /opt/sealdraw/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-server.txt
COPY anchor anchor
COPY rng_service rng_service
COPY stats_tests stats_tests
COPY games games
RUN /opt/sealdraw/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation . \
 && /opt/sealdraw/bin/python -m pip uninstall -y hatchling pip

FROM ${BASE}
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -m 0700 -o nobody -g nogroup /data
COPY --from=build /opt/sealdraw /opt/sealdraw
ENV PATH=/opt/sealdraw/bin:$PATH PYTHONUNBUFFERED=1
USER nobody
VOLUME /data
EXPOSE 7443 7480
ENTRYPOINT ["sealdraw"]
CMD ["serve", "--config", "/data/sealdraw.toml"]
