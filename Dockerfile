# syntax=docker/dockerfile:1

# `make image-pin` adds the digest, and the update bot keeps it new. `make image-release` refuses an image without one.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# Requirements first: they change less often than the code, and their layer is kept.
COPY requirements.txt requirements-build.txt ./
RUN python -m venv --without-pip /opt/kimono-exporter
RUN pip --python /opt/kimono-exporter install --no-deps --require-hashes -r requirements.txt
# What builds the package stays in this stage.
RUN pip install --no-deps --require-hashes -r requirements-build.txt
COPY pyproject.toml setup.py README.md LICENSE ./
COPY exporter ./exporter
# What symbolic links in exporter/assets lead to.
COPY dashboards ./dashboards
COPY docs/runbooks ./docs/runbooks
COPY alerts/alertmanager.example.yaml ./alerts/
# For `--version` and links; `make image` gives them. There is no repository here to ask.
ARG KIMONO_BUILD_REVISION= KIMONO_BUILD_BRANCH= KIMONO_BUILD_SOURCE=
# Of the commit, if `make image` knows it: so the same commit gives the same package.
ARG SOURCE_DATE_EPOCH
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist .
# There is only one version of it.
# hadolint ignore=DL3013
RUN pip --python /opt/kimono-exporter install --no-deps --no-index --find-links dist kimono-exporter

FROM ${PYTHON_IMAGE}
ARG KIMONO_BUILD_REVISION= KIMONO_BUILD_SOURCE= VERSION= CREATED=
LABEL org.opencontainers.image.title="kimono-exporter" \
      org.opencontainers.image.description="Prometheus exporter for the Interop API of Elevate Data Sync (formerly Kimono Cloud)" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${KIMONO_BUILD_REVISION}" \
      org.opencontainers.image.source="${KIMONO_BUILD_SOURCE}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /opt/kimono-exporter /opt/kimono-exporter
# A volume for `state.file` that is mounted here belongs to the user of the exporter. Nothing else is written while it
# runs: the root file system can be read-only.
RUN install --directory --owner 65532 --group 65532 --mode 0700 /var/lib/kimono-exporter
ENV PATH=/opt/kimono-exporter/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# A number, because Kubernetes can't see that a name is not root.
USER 65532:65532
EXPOSE 10120
# Asks by the settings in the container's environment, with any port and with TLS. It does not see flags of `run`: give
# settings as KIMONO_... variables, KIMONO_CONFIG_FILE among them.
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["kimono-exporter", "healthcheck"]
ENTRYPOINT ["kimono-exporter"]
