#!/bin/sh
# Runs mongod as the entrypoint of the image mongo does: on all addresses unless some are named.
set -eu
if env | grep -q '^MONGO_INITDB_'; then
  echo "this image makes no users and runs no scripts: unset MONGO_INITDB_*, or use the image mongo" >&2
  exit 2
fi
case "${1:-}" in -*) set -- mongod "$@" ;; esac
if [ "$1" = mongod ]; then
  case " $* " in *" --bind_ip"*) ;; *) set -- "$@" --bind_ip_all ;; esac
fi
exec "$@"
