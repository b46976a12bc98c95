#!/bin/sh
# Gives the roles of the example their passwords, from the environment of the container. The image runs it once, after the SQL.
set -eu

set_password() {
  # As a literal of psql, so that a quote in a password stays part of it.
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set role="$1" --set password="$2" <<'SQL'
ALTER ROLE :"role" PASSWORD :'password';
SQL
}

set_password rekindle "$REKINDLE_PASSWORD"
set_password worker "$WORKER_PASSWORD"
