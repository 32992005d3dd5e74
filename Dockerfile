# `make image` builds this image. It holds dependencies only: Snakemake mounts the checkout, so edited code needs no new image.
# The name of the base is short, so that any registry, mirror or local image can provide it.
ARG BASE=debian:bookworm-slim
FROM ${BASE}

# Both lists are exported from uv.lock. envs/requirements.lock has torch for NVIDIA GPUs and the hash of every file.
# envs/requirements.txt has the same versions without hashes, so that pip takes a CPU build of torch where it finds one.
ARG REQUIREMENTS=envs/requirements.lock

# A run asks git for its commit. torch.compile builds kernels with g++ or gcc and the header of Python. Snakemake's jobs also need
# bash and coreutils, which are in the base.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates g++ git python3 python3-dev python3-venv \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*.log /var/log/apt

# The packages are compiled here, because no program can write into the image later; without that, each job would compile for
# seconds. Compiled files that are never compared with their sources do not depend on times.
COPY ${REQUIREMENTS} /opt/requirements.txt
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-compile --requirement /opt/requirements.txt \
 && { /opt/venv/bin/python -m compileall -q -j 0 -x /tests/ --invalidation-mode unchecked-hash /opt/venv >/dev/null 2>&1 || true; } \
 && rm -rf /root/.cache /tmp/*

# Snakemake makes the checkout the home folder, so programs must keep their own files elsewhere. Python must not import
# packages that a user has installed at home.
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONNOUSERSITE=1

# These labels come last because they change with every commit, and everything above stays in the builder's cache.
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="anytime-pruning" \
      org.opencontainers.image.description="Dependencies of the runs and figures of anytime progressive pruning; the code is mounted" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"

RUN useradd --create-home --uid 1000 researcher
USER researcher
WORKDIR /home/researcher
CMD ["bash"]
