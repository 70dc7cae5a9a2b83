# PostgreSQL 15 with pg_cron: the source of docker-compose.yml. The image's own package source is
# apt.postgresql.org, which has the extension for the server it ships.
FROM postgres:15-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-15-cron \
    && rm -rf /var/lib/apt/lists/*
