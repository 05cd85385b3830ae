# Gives the files of a tree the times that they would have in a working tree: old, and new where a file changed since
# the last build that succeeded. $1 is the tree, $2 the folder of what is remembered; a build that succeeds moves
# $2/files.now to $2/files. Without that what changed stays changed: for the next build it is new again.
# shellcheck shell=bash
set -euo pipefail
cd "$1"
state=$2
export LC_ALL=C

# Each file as `HASH  PATH`.
{
  find . -type f -print0 | xargs -0 -r sha256sum
  find . -type l -printf 'link  %p -> %l .\n'
} | sort >"$state/files.now"
[ -e "$state/files" ] && first=no || first=yes
touch "$state/files"
comm -3 "$state/files" "$state/files.now" | tr -d '\t' >"$state/changed"
{
  comm -12 "$state/files" "$state/files.now"
  sed 's/^[^ ]*/changed/' "$state/changed"
} | sort -u >"$state/files.part"
mv "$state/files.part" "$state/files"

# A changed module makes its package new, and every package with a build script besides. Any other change makes all
# new: macros and build scripts read what they like.
find . -exec touch -h -d @315532800 {} +
if [ $first = yes ] || grep -qv '^[^\\].*\.rs$' "$state/changed"; then
  find . -exec touch -h {} +
elif [ -s "$state/changed" ]; then
  awk '
    function owner(path) {
      do sub(/\/[^\/]*$/, "", path); while (path != "." && !((path "/Cargo.toml") in tree))
      return path
    }
    { path = substr($0, index($0, "  ") + 2) }
    NR == FNR { tree[path]; next }
    { new[owner(path)] }
    END {
      for (path in tree) if (path ~ /\/build\.rs$/) new[owner(path)]
      for (path in tree) if (owner(path) in new) print path
    }
  ' "$state/files.now" "$state/changed" | xargs -r -d '\n' touch -h
fi
