# The server in one image: the packages are built apart, and the image that runs holds no build tool.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv /opt/adserver
COPY requirements.txt requirements-build.txt ./
RUN /opt/adserver/bin/pip install --require-hashes --requirement requirements.txt \
    && pip install --require-hashes --requirement requirements-build.txt
COPY pyproject.toml LICENSE ./
COPY migrations migrations
COPY pixel pixel
COPY creatives creatives
COPY adserver adserver
RUN pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
    && /opt/adserver/bin/pip install --no-deps --no-index wheels/*.whl

FROM python:3.11-slim-bookworm
# For scripts that the fonts of our packages do not have; see docs/images.md.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends fonts-noto-core \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --user-group --home-dir /data --no-create-home --shell /usr/sbin/nologin adserver \
    && install --directory --owner adserver --group adserver --mode 0750 /data
COPY --from=build /opt/adserver /opt/adserver
ENV PATH=/opt/adserver/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ADSERVER_DATA_DIR=/data
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=4s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=3)"]
ENTRYPOINT ["adserver"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
