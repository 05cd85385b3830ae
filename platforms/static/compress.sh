# Compresses the files that are named on standard input, one a line, each beside itself.
set -euo pipefail
one() {
  local file kept
  for file; do
    kept=/cache/$(sha256sum < "$file" | cut -c1-64)
    # What was kept is never trusted: it is used when it is this file again.
    if ! gzip -dc "$kept.gz" 2> /dev/null | cmp -s - "$file" || ! brotli -dc "$kept.br" 2> /dev/null | cmp -s - "$file"; then
      gzip -9 -n < "$file" > "$kept.$$.gz"
      brotli -q 11 < "$file" > "$kept.$$.br"
      mv "$kept.$$.gz" "$kept.gz"
      mv "$kept.$$.br" "$kept.br"
    fi
    cp "$kept.gz" "$file.gz"
    cp "$kept.br" "$file.br"
  done
}
export -f one
xargs -d '\n' -r -n 8 -P "$(nproc)" bash -c 'set -euo pipefail; one "$@"' one
