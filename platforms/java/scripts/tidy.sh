# Used where the start command names what the build left: takes the dates out of its jars.
set -euo pipefail
export TZ=UTC
find . \( -path '*/target/*.jar' -o -path '*/target/*.war' -o -path '*/build/libs/*.jar' \) -type f > /tmp/nucleo/jars
work=$(mktemp -d)
while read -r jar; do
  rm -rf "$work/jar" && mkdir "$work/jar"
  unzip -qq -o "$jar" -d "$work/jar" || [ $? = 1 ]
  find "$work/jar" -type f -exec chmod 644 {} + -exec touch -d @318211200 {} +
  to=$(realpath "$jar") && rm "$jar"
  # A jar in a jar has to be there as it is: Spring Boot does not unpack it.
  (cd "$work/jar" && find . -type f -printf '%P\n' | LC_ALL=C sort | zip -q -X -D -n .jar "$to" -@)
done < /tmp/nucleo/jars
