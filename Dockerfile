# Dependencies only: Snakemake mounts the checkout, so edited code needs no new image. Built by `make image`.
# The short name, so that any registry, mirror or local image of this name will do.
ARG BASE=debian:bookworm-slim
FROM ${BASE}

# envs/requirements.lock has torch for NVIDIA GPUs, every file by its hash; envs/requirements.txt the same versions without
# hashes, so that a CPU build of torch is taken where pip finds one.
ARG REQUIREMENTS=envs/requirements.lock

# git tells a run which commit it computes; bash and coreutils, which Snakemake's jobs need, are in the base.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates git python3 python3-venv \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*.log /var/log/apt

COPY ${REQUIREMENTS} /opt/requirements.txt
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --requirement /opt/requirements.txt \
 && find /opt/venv -name __pycache__ -prune -exec rm -rf {} + \
 && rm -rf /root/.cache /tmp/*

# Snakemake makes the checkout the home folder: what programs keep for themselves goes elsewhere, and nobody's own Python
# packages take part.
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONNOUSERSITE=1

# Last, as they change with every commit and nothing above does.
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="anytime-pruning" \
      org.opencontainers.image.description="What the runs and figures of anytime progressive pruning need; the code is mounted" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"

RUN useradd --create-home --uid 1000 researcher
USER researcher
WORKDIR /home/researcher
CMD ["bash"]
