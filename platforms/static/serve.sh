# Runs nginx; with -t it only looks whether nginx would. What is known at the start alone is filled in here.
set -eu
mkdir -p /tmp/nginx
sed -e "s|@PORT@|${PORT:-8080}|" -e "s|@WORKERS@|${WEB_CONCURRENCY:-2}|" -e "s|@SITE@|${NUCLEO_SITE:-none}|g" \
  /opt/app/nginx.conf > /tmp/nginx/nginx.conf
set -- nginx -e stderr -c /tmp/nginx/nginx.conf "$@"
if [ "$#" -gt 5 ]; then exec "$@"; fi
"$@" &
server=$!
# nginx cuts connections off when it is told to stop with TERM; with QUIT it finishes what it is sending.
trap 'kill -QUIT "$server"' TERM INT
wait "$server" || wait "$server"
