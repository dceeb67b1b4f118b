#!/bin/sh
set -eu
if [ "${1#-}" != "$1" ] || [ "$1" = app ]; then
    echo "$APP_NAME on $APP_HOST:$APP_PORT"
    exit
fi
exec "$@"
