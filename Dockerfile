# One image for every role: `serve` (API, pages and worker), `worker` alone, and the command line.
FROM python:3.11-slim-trixie

# Everything the service writes lives under /data: mount it, or point LUODI_DATABASE_URL at PostgreSQL.
ENV PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    LUODI_DATABASE_URL=sqlite:////data/luodi.db \
    LUODI_SMTP_URL=file:/data/mail \
    LUODI_VAR_DIR=/data

# A fixed number, so that a mounted folder can be given to the same user on every host.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin luodi \
    && install -d -o luodi -g luodi /data

# pg_dump, pg_restore and psql for `luodi backup`; Debian's 17 serves servers up to 17.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /srv/luodi

# Packages first: they change less often than the code, and this layer is then kept.
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock

COPY pyproject.toml alembic.ini ./
COPY migrations ./migrations
COPY app ./app
RUN pip install --no-cache-dir --no-index --no-deps --no-build-isolation -e . \
    && python -m compileall -q app migrations

USER 10001:10001
VOLUME ["/data"]
EXPOSE 8000

HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/livez', timeout=4)"]

ENTRYPOINT ["luodi"]
CMD ["serve", "--host", "0.0.0.0"]
