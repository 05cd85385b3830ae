# Compiles programs of a cargo workspace; /opt/app/bin starts them. $@ says which: -p PACKAGE --bin PROGRAM …
# What the last build of this app compiled is in /cache-app, and every file of the tree here is of 1980: cargo, which
# goes by times, is shown the times of a working tree instead, so that what changed since is compiled again.
# shellcheck shell=bash
set -euo pipefail

case $NUCLEO_ARCH in
  amd64) target=x86_64-unknown-linux-gnu gnu=x86_64-linux-gnu ;;
  arm64) target=aarch64-unknown-linux-gnu gnu=aarch64-linux-gnu ;;
esac

# --- cargo's home: settings of this build alone, and what all builds share ---------------------------------------------
# The locks are shared as well: they are what makes the rest safe to share.
export CARGO_HOME=/tmp/cargo
mkdir -p $CARGO_HOME /cache/cargo/registry /cache/cargo/git
for shared in registry git .package-cache .package-cache-mutate; do
  ln -sfn /cache/cargo/$shared $CARGO_HOME/$shared
done
# Of a person's settings only those that say where packages come from: compilers and linkers are this image's.
if [ -e /run/nucleo/cargo-config ]; then
  awk '/^[ \t]*\[/ { keep = /^[ \t]*\[+[ \t]*(registry|registries|source|net|http)[].]/ } keep' \
    /run/nucleo/cargo-config >$CARGO_HOME/config.toml
fi
[ ! -e /run/nucleo/cargo-credentials ] || ln -sf /run/nucleo/cargo-credentials $CARGO_HOME/credentials.toml

# --- the cache of this app: one build at a time ------------------------------------------------------------------------
state=/cache-app/$NUCLEO_ARCH
mkdir -p "$state"
exec 9>"$state/lock"
flock 9
export CARGO_TARGET_DIR=$state/target

# Of another image, or of a clock that has gone back since, nothing is of use.
image=$(sha256sum </var/lib/dpkg/status)
touch "$state/now"
if [ "$image" != "$(cat "$state/image" 2>/dev/null)" ] || [ "$state/end" -nt "$state/now" ]; then
  rm -rf "$CARGO_TARGET_DIR" "$state/files" "$state/end"
  printf '%s\n' "$image" >"$state/image"
fi
trap 'touch "$state/end"' EXIT

bash "${BASH_SOURCE%/*}/nucleo-times.sh" /app "$state"

# --- cargo -------------------------------------------------------------------------------------------------------------
name=${target//-/_}
# LLVM's linker is Rust's own choice since 1.90, which Debian does not follow: a program is linked in 0.4 s less. Rust
# goes by the name of what it calls.
export "CARGO_TARGET_${name^^}_LINKER=$CARGO_HOME/lld-gcc"
printf '%s\n' '#!/bin/sh' "exec $gnu-gcc -fuse-ld=lld \"\$@\"" >$CARGO_HOME/lld-gcc
chmod 755 $CARGO_HOME/lld-gcc
if [ "$NUCLEO_ARCH" != "$(dpkg --print-architecture)" ]; then
  export PKG_CONFIG_ALLOW_CROSS=1 PKG_CONFIG_LIBDIR=/usr/lib/$gnu/pkgconfig:/usr/share/pkgconfig
fi
cargo build --release --locked --target $target "$@"
mv "$state/files.now" "$state/files"

# As process 1 a program without a handler of its own ignores the signal to end; not so below tini.
mkdir -p /opt/app/bin /opt/app/libexec
while [ $# -gt 0 ]; do
  if [ "$1" = --bin ]; then
    program=/opt/app/libexec/$2
    install -m 755 "$CARGO_TARGET_DIR/$target/release/$2" "$program"
    printf '%s\n' '#!/bin/sh' "test \$\$ != 1 || exec tini -- $program \"\$@\"" "exec $program \"\$@\"" >"/opt/app/bin/$2"
    chmod 755 "/opt/app/bin/$2"
  fi
  shift
done
# What no build needs any more is found by none but the next cold build.
[ "$(du -sm "$CARGO_TARGET_DIR" | cut -f1)" -lt 6144 ] || rm -rf "$CARGO_TARGET_DIR"
